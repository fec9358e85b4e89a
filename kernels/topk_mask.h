// The BN-scale mask (spec 1.1) and the Hamming distance between masks. Masks are packed, bit i of word i / 64
// is channel i, unused bits are zero.
#pragma once
#include "kernels/pick.h"

namespace eb::kernels {

struct TopkMask {
  enum class Rule : uint8_t {
    exact_k,    // prune exactly k = trunc(total * ratio): the k smallest by (score, index)
    reference,  // keep scores strictly above sorted[k]; ties at the threshold all go
  };
  struct Result {
    float threshold;  // score of the largest pruned entry (exact_k; 0 if k = 0) or sorted[k] (reference)
    int64_t kept;
    bool has_nan;  // then the mask is all zero and must not be used
  };
  // scores (total) are compared by |score|. mask (ceil(total / 64)). k must be < total.
  Result (*draw)(Rule, int64_t total, int64_t k, const float* scores, uint64_t* mask);
  // Number of differing bits.
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
