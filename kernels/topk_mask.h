// The BN-scale mask (docs/method.md 1.1) and the Hamming distance between masks. Masks are packed, bit i of
// word i / 64 is channel i, unused bits are zero.
#pragma once
#include "kernels/pick.h"

namespace eb::kernels {

struct TopkMask {
  static constexpr int64_t words(int64_t total) { return (total + 63) / 64; }
  enum class Rule : uint8_t {
    exact_k,    // prune exactly k = trunc(total * ratio): the k smallest by (score, index)
    reference,  // keep scores strictly above sorted[k]; ties at the threshold all go
  };
  struct Result {
    float threshold;  // score of the largest pruned entry (exact_k; 0 if k = 0) or sorted[k] (reference)
    int64_t kept;
    bool has_nan;  // then the mask is all zero and must not be used
  };
  struct Params {
    Rule rule = Rule::exact_k;
    int64_t total, k;      // k < total
    int64_t window = 0;    // earlier masks to compare with
    bool largest = false;  // of merged scores: the largest instead of the mean
  };
  // Score i is |values[i]|, or with an index |values[index[i]]|, so that all scales of a network are gathered
  // from its arena by the same call. Where batch norms share channels a score is the mean of several: with
  // `first` (total + 1) of |values[index[j]]|, first[i] <= j < first[i + 1], summed in order in double.
  struct Scores {
    const float* values;
    const int32_t *index = nullptr, *first = nullptr;
  };
  struct Draw {
    Scores scores;
    const uint64_t* fifo = nullptr;  // (window, words(total)) earlier masks
    uint64_t* mask;                  // (words(total))
    Result* result;                  // (1)
    int64_t* distances = nullptr;    // (window) differing bits between mask and each mask of fifo
    void* workspace = nullptr;       // (workspace_bytes)
  };
  size_t (*workspace_bytes)(const Params&);
  void (*draw)(const Params&, const Draw&);  // on a card nothing waits for the host
  // Number of differing bits of two masks in host memory.
  int64_t (*hamming)(int64_t total, const uint64_t* a, const uint64_t* b);
};

// The mean (or largest) magnitude of scores first..last - 1, the same on every device.
constexpr float merged_score(const TopkMask::Scores& s, int32_t first, int32_t last, bool largest) {
  double sum = 0, most = 0;
  for (int32_t j = first; j < last; ++j) {
    const float v = s.values[s.index[j]], magnitude = v < 0 ? -v : v;
    sum += static_cast<double>(magnitude);
    if (static_cast<double>(magnitude) > most || magnitude != magnitude)
      most = static_cast<double>(magnitude);
  }
  return static_cast<float>(largest ? most : sum / (last - first));
}

namespace cpu {
extern const TopkMask topk_mask;
}
namespace cuda {
extern const TopkMask topk_mask;
}
inline const TopkMask& topk_mask(Device d) {
  return pick<cpu::topk_mask, cuda::topk_mask>(d);
}

}  // namespace eb::kernels
