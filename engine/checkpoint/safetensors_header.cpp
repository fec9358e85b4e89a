#include "engine/checkpoint/safetensors_header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/text.h"

namespace eb::engine::safetensors {

using kernels::DType;
using nlohmann::json;

namespace {

// Receives the parser's events. `where_` says which value may come next; every other event is a fault.
class HeaderReader {
 public:
  explicit HeaderReader(const std::string& file) : file_(file) {}
  Header take() { return std::move(header_); }

  bool start_object(size_t) {
    if (where_ == Where::nothing) return go(Where::header);
    if (where_ == Where::header_value) return go(name_ == "__metadata__" ? Where::metadata : Where::tensor);
    throw misplaced("an object");
  }

  bool key(std::string& k) {
    if (where_ == Where::header) return tensor_name(k);
    if (where_ == Where::metadata) return metadata_key(k);
    return field_name(k);
  }

  bool string(std::string& s) {
    if (where_ == Where::metadata_value) return metadata_value(s);
    if (where_ != Where::dtype) throw misplaced("a string");
    const auto& names = dtype_names();
    const auto found = std::find_if(names.begin(), names.end(), [&](const auto& n) { return n.first == s; });
    if (found == names.end())
      throw Error(
          errors::tensor_dtype, of_tensor("has dtype " + quote(s)),
          "F32, BF16, U8, I32, I64 and F64 can be read; in PyTorch, tensor.float() before saving makes F32");
    entry_->dtype = found->second;
    return go(Where::tensor);
  }

  bool start_array(size_t) {
    if (where_ == Where::shape) return go(Where::shape_items);
    if (where_ == Where::offsets) return go(Where::offset_items);
    throw misplaced("a list");
  }

  bool number_unsigned(uint64_t v) {
    if (where_ == Where::shape_items) {
      if (v > INT64_MAX || entry_->shape.size() == max_rank) throw malformed("has an impossible shape");
      entry_->shape.push_back(v);
      return true;
    }
    if (where_ != Where::offset_items) throw misplaced("a number");
    if (offsets_seen_ == 2) throw malformed("has more than two data_offsets");
    (offsets_seen_++ == 0 ? entry_->begin : entry_->end) = v;
    return true;
  }

  bool end_array() {
    if (where_ == Where::offset_items && offsets_seen_ != 2) throw malformed("needs two data_offsets");
    return go(Where::tensor);
  }

  bool end_object() {
    if (where_ == Where::tensor && seen_ != all_fields)
      throw malformed("needs dtype, shape and data_offsets");
    return go(where_ == Where::header ? Where::end : Where::header);
  }

  bool null() { throw misplaced("null"); }
  bool boolean(bool) { throw misplaced("a boolean"); }
  bool number_integer(int64_t) { throw misplaced("a negative number"); }
  bool number_float(double, const std::string&) { throw misplaced("a number that is no integer"); }
  bool binary(json::binary_t&) { throw misplaced("binary data"); }
  bool parse_error(size_t position, const std::string&, const json::exception& e) {
    const std::string what = e.what();
    const size_t colon = what.find("syntax error");
    throw Error(errors::safetensors_not_json,
                file_ + ": the header is not JSON at byte " + std::to_string(position) + ": " +
                    printable(colon == std::string::npos ? what : what.substr(colon)));
  }

 private:
  enum class Where : uint8_t {
    nothing,
    header,
    header_value,
    metadata,
    metadata_value,
    tensor,
    dtype,
    shape,
    shape_items,
    offsets,
    offset_items,
    end
  };
  static constexpr unsigned all_fields = 7;

  bool go(Where next) {
    where_ = next;
    return true;
  }

  bool tensor_name(const std::string& k) {
    name_ = k;
    if (k == "__metadata__") {
      if (metadata_seen_) throw Error(errors::safetensors_header, file_ + ": \"__metadata__\" appears twice");
      metadata_seen_ = true;
      return go(Where::header_value);
    }
    if (!name_is_allowed(k))
      throw Error(errors::tensor_name, file_ + ": tensor name " + quote(k) + " is not allowed",
                  "names are made of letters, digits and _ . / -");
    if (header_.entries.size() == max_tensors)
      throw Error(errors::safetensors_header, file_ + ": more than a million tensors");
    const auto [at, inserted] = header_.entries.try_emplace(k);
    if (!inserted) throw Error(errors::tensor_name, of_tensor("appears twice"));
    entry_ = &at->second;
    seen_ = 0, offsets_seen_ = 0;
    return go(Where::header_value);
  }

  bool field_name(const std::string& k) {
    const unsigned bit = k == "dtype" ? 1 : k == "shape" ? 2 : k == "data_offsets" ? 4 : 0;
    if (bit == 0) throw malformed("has an unknown field " + quote(k));
    if (seen_ & bit) throw malformed("has the field " + quote(k) + " twice");
    seen_ |= bit;
    return go(bit == 1 ? Where::dtype : bit == 2 ? Where::shape : Where::offsets);
  }

  bool metadata_key(const std::string& k) {
    metadata_bytes_ += k.size();
    const auto [at, inserted] = header_.metadata.try_emplace(k);
    if (!inserted)
      throw Error(errors::safetensors_metadata, file_ + ": metadata key " + quote(k) + " appears twice");
    value_ = &at->second;
    return go(Where::metadata_value);
  }

  bool metadata_value(std::string& s) {
    metadata_bytes_ += s.size();
    if (metadata_bytes_ > max_metadata)
      throw Error(errors::safetensors_metadata,
                  file_ + ": more than " + std::to_string(max_metadata) + " bytes of metadata");
    *value_ = std::move(s);
    return go(Where::metadata);
  }

  std::string of_tensor(const std::string& what) const {
    return file_ + ": tensor " + quote(name_) + " " + what;
  }
  Error malformed(const std::string& what) const {
    return Error(errors::safetensors_header, of_tensor(what));
  }
  Error misplaced(const std::string& what) const {
    if (where_ == Where::metadata_value)
      return Error(errors::safetensors_metadata, file_ + ": a metadata value is " + what + ", not a string");
    if (where_ == Where::nothing)
      return Error(errors::safetensors_header, file_ + ": the header is " + what + ", not an object");
    return Error(errors::safetensors_header, of_tensor("has " + what + " where none belongs"));
  }

  const std::string& file_;
  Header header_;
  Where where_ = Where::nothing;
  std::string name_;
  HeaderEntry* entry_ = nullptr;
  std::string* value_ = nullptr;
  unsigned seen_ = 0, offsets_seen_ = 0;
  size_t metadata_bytes_ = 0;
  bool metadata_seen_ = false;
};

}  // namespace

Header parse_header(std::string_view text, const std::string& file) {
  // The JSON parser takes a NUL for the end of its input: what follows would be a second reading of the file.
  if (text.empty() || text[0] != '{' || text.find('\0') != text.npos)
    throw Error(errors::safetensors_not_json, file + ": the header is not a JSON object");
  HeaderReader reader(file);
  json::sax_parse(text.begin(), text.end(), &reader);
  return reader.take();
}

}  // namespace eb::engine::safetensors
