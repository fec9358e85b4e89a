// loss = mean over samples of -sum_k t_k log softmax(logits)_k, with t the smoothed one-hot label
// (1 - smoothing + smoothing / K at the label, smoothing / K elsewhere; PyTorch's rule). fp32 inside. Of a
// part of a batch: its share of the batch's mean, so that parts add up to the whole.
#pragma once
#include "kernels/pick.h"

namespace eb::kernels {

struct SoftmaxCrossEntropy {
  struct Params {
    DType dtype = DType::f32;  // of logits and dlogits
    int64_t n, classes;        // logits (N, K)
    float label_smoothing = 0.f;
    int64_t total = 0;  // samples of the batch that these n are a part of; 0: n
  };
  static constexpr int64_t divisor(const Params& p) { return p.total ? p.total : p.n; }
  // A sample counts as top-j if fewer than j classes have a larger logit, ties going to the lower class; a
  // NaN logit at the label is never correct.
  struct Arrays {
    const void* logits;         // (N, K)
    const int32_t* labels;      // (N)
    float* loss;                // (1)
    int32_t *top1, *top5;       // (1) each: counts of correct samples
    void* dlogits = nullptr;    // (N, K)
    void* workspace = nullptr;  // (workspace_bytes)
  };
  size_t (*workspace_bytes)(const Params&);
  void (*forward_backward)(const Params&, const Arrays&);
};

namespace cpu {
extern const SoftmaxCrossEntropy softmax_cross_entropy;
}
namespace cuda {
extern const SoftmaxCrossEntropy softmax_cross_entropy;
}
inline const SoftmaxCrossEntropy& softmax_cross_entropy(Device d) {
  return pick<cpu::softmax_cross_entropy, cuda::softmax_cross_entropy>(d);
}

}  // namespace eb::kernels
