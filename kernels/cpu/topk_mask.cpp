// The mask by selection in O(n): a histogram of the leading bits of |score|, then a sort of the one bin that
// holds the k-th value. Non-negative floats order like their bits, so the keys are integers and -0 equals 0.
#include "kernels/topk_mask.h"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "kernels/cpu/no_workspace.h"

namespace eb::kernels::cpu {
namespace {

constexpr int bin_shift = 20;  // 11 of 31 bits: the exponent and three bits of mantissa
constexpr uint32_t infinity = 0x7f800000u;

uint32_t key_of(float score) {
  return std::bit_cast<uint32_t>(score) & 0x7fffffffu;
}

// The key of rank `k` (0-based) in ascending order.
uint32_t key_at_rank(int64_t total, int64_t k, const float* scores) {
  std::array<int64_t, size_t{1} << (31 - bin_shift)> counts{};
  for (int64_t i = 0; i < total; ++i) ++counts[key_of(scores[i]) >> bin_shift];
  uint32_t bin = 0;
  while (k >= counts[bin]) k -= counts[bin++];
  std::vector<uint32_t> keys;
  keys.reserve(counts[bin]);
  for (int64_t i = 0; i < total; ++i) {
    if (key_of(scores[i]) >> bin_shift == bin) keys.push_back(key_of(scores[i]));
  }
  std::nth_element(keys.begin(), keys.begin() + k, keys.end());
  return keys[k];
}

// Keeps the keys above `threshold` and, of those equal to it, all but the first `tied`. Returns how many.
int64_t write_mask(int64_t total, const float* scores, uint32_t threshold, int64_t tied, uint64_t* mask) {
  int64_t kept = 0;
  for (int64_t word = 0; word * 64 < total; ++word) {
    uint64_t bits = 0;
    const int64_t n = std::min<int64_t>(64, total - word * 64);
    for (int64_t i = 0; i < n; ++i) {
      const uint32_t key = key_of(scores[word * 64 + i]);
      const bool keep = key > threshold || (key == threshold && --tied < 0);
      bits |= uint64_t{keep} << i;
    }
    mask[word] = bits;
    kept += std::popcount(bits);
  }
  return kept;
}

TopkMask::Result select(TopkMask::Rule rule, int64_t total, int64_t k, const float* scores, uint64_t* mask) {
  if (std::any_of(scores, scores + total, [](float s) { return key_of(s) > infinity; })) {
    std::fill(mask, mask + (total + 63) / 64, 0);
    return {0.f, 0, true};
  }
  if (rule == TopkMask::Rule::reference) {
    const uint32_t threshold = key_at_rank(total, k, scores);
    return {std::bit_cast<float>(threshold), write_mask(total, scores, threshold, total, mask), false};
  }
  const uint32_t threshold = k > 0 ? key_at_rank(total, k - 1, scores) : 0;
  const int64_t below = std::count_if(scores, scores + total, [=](float s) { return key_of(s) < threshold; });
  return {std::bit_cast<float>(threshold), write_mask(total, scores, threshold, k - below, mask), false};
}

int64_t hamming(int64_t total, const uint64_t* a, const uint64_t* b) {
  int64_t differing = 0;
  for (int64_t i = 0; i < (total + 63) / 64; ++i) differing += std::popcount(a[i] ^ b[i]);
  return differing;
}

void draw(const TopkMask::Params& p, const TopkMask::Draw& a) {
  const TopkMask::Scores& s = a.scores;
  std::vector<float> gathered;
  for (int64_t i = 0; s.index && i < p.total; ++i)
    gathered.push_back(s.first ? merged_score(s, s.first[i], s.first[i + 1], p.largest)
                               : s.values[s.index[i]]);
  *a.result = select(p.rule, p.total, p.k, s.index ? gathered.data() : s.values, a.mask);
  for (int64_t i = 0; i < p.window; ++i)
    a.distances[i] = hamming(p.total, a.mask, a.fifo + i * TopkMask::words(p.total));
}

}  // namespace

const TopkMask topk_mask = {.workspace_bytes = no_workspace, .draw = draw, .hamming = hamming};

}  // namespace eb::kernels::cpu
