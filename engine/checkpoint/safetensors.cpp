// The data part and the writer; safetensors_header.cpp parses the JSON in front. Layout of a file: u64 length
// of the header (little endian), header, tensor bytes. Nothing may lie outside a tensor: a file has one
// reading only.
#include "engine/checkpoint/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/checkpoint/other_files.h"
#include "engine/checkpoint/safetensors_header.h"

namespace eb::engine {

static_assert(std::endian::native == std::endian::little, "safetensors files are little endian");

namespace safetensors {

const std::vector<std::pair<std::string, DType>>& dtype_names() {
  static const std::vector<std::pair<std::string, DType>> names = {{"F64", DType::f64},   {"I64", DType::i64},
                                                                   {"F32", DType::f32},   {"I32", DType::i32},
                                                                   {"BF16", DType::bf16}, {"U8", DType::u8}};
  return names;
}

bool name_is_allowed(const std::string& name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '/' || c == '-';
  };
  return !name.empty() && name.size() <= max_name && name != "__metadata__" &&
         std::all_of(name.begin(), name.end(), allowed);
}

}  // namespace safetensors

using safetensors::Header;
using safetensors::HeaderEntry;

// Bytes of a tensor of that shape, or false if some product on the way does not fit in 63 bits.
static bool checked_bytes(const HeaderEntry& e, uint64_t& bytes) {
  int64_t product = static_cast<int64_t>(kernels::size_of(e.dtype));
  for (const uint64_t d : e.shape)
    if (__builtin_mul_overflow(product, static_cast<int64_t>(d), &product)) return false;
  bytes = static_cast<uint64_t>(product);
  return true;
}

static void check_sizes(const Header& header, const std::string& file) {
  for (const auto& [name, e] : header.entries) {
    uint64_t bytes = 0;
    if (!checked_bytes(e, bytes))
      throw Error(errors::tensor_bytes,
                  file + ": the shape of tensor \"" + name + "\" is larger than any file");
    if (e.end < e.begin || e.end - e.begin != bytes)
      throw Error(errors::tensor_bytes, file + ": tensor \"" + name + "\" needs " + std::to_string(bytes) +
                                            " bytes, but its offsets are [" + std::to_string(e.begin) + ", " +
                                            std::to_string(e.end) + "]");
  }
}

// The ranges, sorted, must cover [0, size) exactly once.
static void check_tiling(const Header& header, uint64_t size, const std::string& file) {
  std::vector<const std::pair<const std::string, HeaderEntry>*> order;
  for (const auto& entry : header.entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::tie(a->second.begin, a->second.end) < std::tie(b->second.begin, b->second.end);
  });
  uint64_t covered = 0;
  for (const auto* entry : order) {
    const auto& [name, e] = *entry;
    if (e.begin != covered)
      throw Error(errors::tensor_offsets,
                  file + ": tensor \"" + name + "\" begins at byte " + std::to_string(e.begin) + ", " +
                      (e.begin < covered ? "inside the tensor before it" : "after a gap") + " (expected " +
                      std::to_string(covered) + ")");
    if (e.end > size)
      throw Error(errors::tensor_offsets, file + ": tensor \"" + name + "\" ends at byte " +
                                              std::to_string(e.end) + " of " + std::to_string(size));
    covered = e.end;
  }
  if (covered != size)
    throw Error(errors::tensor_offsets,
                file + ": " + std::to_string(size - covered) + " bytes after the last tensor");
}

static Tensor copy_tensor(const HeaderEntry& e, const char* bytes) {
  const Tensor t = Tensor::empty(Shape(e.shape.begin(), e.shape.end()), e.dtype);
  if (t.bytes() > 0) std::memcpy(t.raw(), bytes + e.begin, t.bytes());
  return t;
}

SafetensorsFile parse_safetensors(const void* data, size_t size, const std::string& name) {
  const char* bytes = static_cast<const char*>(data);
  const std::string file = quote(name, 4096);
  if (size < 8)
    throw Error(errors::safetensors_too_short,
                file + ": " + std::to_string(size) + " bytes are no safetensors file");
  uint64_t length = 0;
  std::memcpy(&length, bytes, sizeof length);
  if (length > std::min<uint64_t>(safetensors::max_header, size - 8))
    throw not_safetensors({bytes, size}, file);
  const Header header = safetensors::parse_header(std::string_view(bytes + 8, length), file);
  check_sizes(header, file);
  check_tiling(header, size - 8 - length, file);
  SafetensorsFile result;
  result.metadata = header.metadata;
  for (const auto& [tensor, e] : header.entries)
    result.tensors.emplace(tensor, copy_tensor(e, bytes + 8 + length));
  return result;
}

SafetensorsFile read_safetensors(const std::filesystem::path& path) {
  std::string bytes;
  try {
    bytes = read_file(path);
  } catch (const Error& e) {
    throw Error(errors::safetensors_too_short, e.message(), e.hint());
  }
  return parse_safetensors(bytes.data(), bytes.size(), path.string());
}

static size_t rank_of(DType t) {
  const auto& names = safetensors::dtype_names();
  return static_cast<size_t>(
      std::find_if(names.begin(), names.end(), [&](const auto& n) { return n.second == t; }) - names.begin());
}

using NamedTensor = const std::pair<const std::string, Tensor>*;

static std::vector<NamedTensor> in_file_order(const SafetensorsFile& file) {
  std::vector<NamedTensor> order;
  for (const auto& entry : file.tensors) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](NamedTensor a, NamedTensor b) {
    return rank_of(a->second.dtype()) < rank_of(b->second.dtype());
  });
  return order;
}

static void check_metadata(const SafetensorsFile& file) {
  size_t total = 0;
  for (const auto& [key, value] : file.metadata) total += key.size() + value.size();
  if (total > safetensors::max_metadata)
    throw Error(errors::safetensors_metadata, "the metadata of a safetensors file would have " +
                                                  std::to_string(total) + " bytes, at most " +
                                                  std::to_string(safetensors::max_metadata) + " are allowed");
}

static std::string header_of(const SafetensorsFile& file, const std::vector<NamedTensor>& order) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  uint64_t offset = 0;
  for (const NamedTensor entry : order) {
    const auto& [name, t] = *entry;
    if (!safetensors::name_is_allowed(name))
      throw Error(errors::tensor_name,
                  "tensor name " + quote(name) + " may not be written to a safetensors file");
    header[name] = {{"dtype", safetensors::dtype_names()[rank_of(t.dtype())].first},
                    {"shape", t.shape()},
                    {"data_offsets", {offset, offset + t.bytes()}}};
    offset += t.bytes();
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

std::string to_safetensors(const SafetensorsFile& file) {
  check_metadata(file);
  const auto order = in_file_order(file);
  const std::string header = header_of(file, order);
  const uint64_t length = header.size();
  size_t total = sizeof length + header.size();
  for (const NamedTensor entry : order) total += entry->second.bytes();
  std::string bytes;
  bytes.reserve(total);
  bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
  bytes += header;
  for (const NamedTensor entry : order)
    if (entry->second.bytes() > 0) bytes.append(entry->second.data<char>(), entry->second.bytes());
  return bytes;
}

}  // namespace eb::engine
