#include "pruning/mask_history.h"

#include <fcntl.h>

#include <cstring>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "kernels/topk_mask.h"

namespace eb::pruning {

namespace fs = std::filesystem;

static constexpr char magic[] = "EBMASKS1";
static constexpr int64_t header_bytes = 16;
static constexpr int64_t max_bits = int64_t{1} << 32;

static std::string header(int64_t bits) {
  std::string h(magic, 8);
  h.append(reinterpret_cast<const char*>(&bits), 8);
  return h;
}

MaskHistory::MaskHistory(const fs::path& path, int64_t bits, int64_t records)
    : path_(path), words_((bits + 63) / 64), records_(records) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);  // if that fails, writing below says so
  if (records == 0 || !fs::exists(path, error)) {
    engine::replace_file(path, header(bits));
    records_ = 0;
    return;
  }
  const std::string have = engine::read_file(path);
  if (have.compare(0, header_bytes, header(bits)) != 0)
    throw Error(errors::mask_history, path.string() + " is no mask history of this network",
                "move it away and resume again");
  const int64_t size = header_bytes + records * words_ * 8;
  if (static_cast<int64_t>(have.size()) < size)
    throw Error(errors::mask_history, path.string() + " is shorter than the checkpoint says",
                "move it away and resume again");
  engine::File(path, O_WRONLY).truncate(size);
}

// Synced, because a checkpoint that survives a power loss counts on its records.
void MaskHistory::append(const std::vector<uint64_t>& mask) {
  engine::File out(path_, O_WRONLY | O_APPEND);
  out.write({reinterpret_cast<const char*>(mask.data()), static_cast<size_t>(words_) * 8});
  out.sync();
  out.close();
  ++records_;
}

MaskRecords read_mask_history(const fs::path& path) {
  const std::string bytes = engine::read_file(path);
  MaskRecords r;
  if (bytes.size() < header_bytes || bytes.compare(0, 8, magic, 8) != 0)
    throw Error(errors::mask_history, path.string() + " is no mask history");
  std::memcpy(&r.bits, bytes.data() + 8, 8);
  if (r.bits < 1 || r.bits > max_bits)
    throw Error(errors::mask_history, path.string() + " is no mask history");
  const auto words = static_cast<size_t>((r.bits + 63) / 64);
  for (size_t at = header_bytes; at + words * 8 <= bytes.size(); at += words * 8) {
    std::vector<uint64_t> mask(words);
    std::memcpy(mask.data(), bytes.data() + at, words * 8);
    r.masks.push_back(std::move(mask));
  }
  return r;
}

std::vector<int64_t> pairwise_differences(const MaskRecords& r) {
  const auto& kernel = kernels::topk_mask(kernels::Device::cpu);
  const size_t n = r.masks.size();
  std::vector<int64_t> d(n * n, 0);
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < i; ++j)
      d[i * n + j] = d[j * n + i] = kernel.hamming(r.bits, r.masks[i].data(), r.masks[j].data());
  return d;
}

std::vector<double> pairwise_distances(const MaskRecords& r) {
  std::vector<double> distances;
  for (int64_t differing : pairwise_differences(r))
    distances.push_back(static_cast<double>(differing) / static_cast<double>(r.bits));
  return distances;
}

}  // namespace eb::pruning
