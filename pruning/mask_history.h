// Every mask of a run, packed and appended to masks/pXX.bits, so that the pairwise distances of all epochs
// cost nothing: 16 bytes of header ("EBMASKS1", bits as u64), then ceil(bits / 64) little-endian words a
// record.
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

namespace eb::pruning {

class MaskHistory {
 public:
  // Opens or creates `path` and drops whatever lies behind the first `records` (a resumed run repeats them).
  MaskHistory(const std::filesystem::path& path, int64_t bits, int64_t records);
  void append(const std::vector<uint64_t>& mask);
  int64_t records() const { return records_; }

 private:
  std::filesystem::path path_;
  int64_t words_, records_;
};

struct MaskRecords {
  int64_t bits = 0;
  std::vector<std::vector<uint64_t>> masks;
};
// Error 4041 if the file is no mask history; a record cut short at the end is dropped.
MaskRecords read_mask_history(const std::filesystem::path& path);
// Hamming distance of every pair, row-major (n, n): channels that differ, and their share of `bits`.
std::vector<int64_t> pairwise_differences(const MaskRecords& records);
std::vector<double> pairwise_distances(const MaskRecords& records);

}  // namespace eb::pruning
