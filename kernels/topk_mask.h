// The BN-scale mask (spec 1.1) and the Hamming distance between masks. Masks are packed, bit i of word i / 64
// is channel i, unused bits are zero.
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
    int64_t total, k;    // k < total
    int64_t window = 0;  // earlier masks to compare with
  };
  // Score i is |scores[index[i]]|, or |scores[i]| without an index, so that all scales of a network are
  // gathered from its arena by the same call. Writes mask (words(total)), result (1) and, where window > 0,
  // distances (window): the differing bits between mask and each mask of fifo (window, words(total)). On a
  // card nothing waits for the host.
  void (*draw)(const Params&, const float* scores, const int32_t* index, const uint64_t* fifo, uint64_t* mask,
               Result* result, int64_t* distances);
  // Number of differing bits of two masks in host memory.
  int64_t (*hamming)(int64_t total, const uint64_t* a, const uint64_t* b);
};

namespace cpu {
extern const TopkMask topk_mask;
}
namespace cuda {
extern const TopkMask topk_mask;
}
namespace emulated {
extern const TopkMask topk_mask;
}
inline const TopkMask& topk_mask(Device d) {
  return pick<cpu::topk_mask, cuda::topk_mask, emulated::topk_mask>(d);
}

}  // namespace eb::kernels
