// Softmax cross entropy: a warp a sample, sums in double, then one block adds the samples in a fixed order.
#include "kernels/softmax_cross_entropy.h"

#include <climits>

#include "kernels/cuda/block_sum.cuh"
#include "kernels/cuda/vector.cuh"

namespace eb::kernels::cuda {

namespace {

constexpr int threads = 256, samples_per_block = threads / warp_size;
constexpr int at_once = 4;  // logits that a lane loads before it stores the first gradient

using Params = SoftmaxCrossEntropy::Params;

struct Sample {
  double loss;
  int larger;  // classes that beat the label; a NaN at the label loses to all
};

// As fmaxf: a NaN loses here, and the sum shows it.
__device__ float warp_max(float v) {
  for (int offset = warp_size / 2; offset > 0; offset /= 2) v = fmaxf(v, shuffle_xor(full_warp, v, offset));
  return v;
}

template <class T>
__global__ void samples_kernel(Params p, const T* logits, const int32_t* labels, T* dlogits,
                               Sample* samples) {
  const int64_t n = int64_t{blockIdx.x} * samples_per_block + threadIdx.x / warp_size;
  if (n >= p.n) return;  // a whole warp
  const int lane_id = threadIdx.x % warp_size, label = labels[n];
  const T* z = logits + n * p.classes;
  const float at = static_cast<float>(z[label]);
  float top = -INFINITY;
  for (int64_t k = lane_id; k < p.classes; k += warp_size) top = fmaxf(top, static_cast<float>(z[k]));
  top = warp_max(top);
  double sum = 0, sum_z = 0;
  int larger = 0;
  for (int64_t k = lane_id; k < p.classes; k += warp_size) {
    const float v = static_cast<float>(z[k]);
    sum += expf(v - top);
    sum_z += v - top;
    larger += v > at || (v == at && k < label);
  }
  sum = warp_sum(sum);
  sum_z = warp_sum(sum_z);
  larger = warp_sum(larger);
  const float rest = p.label_smoothing / static_cast<float>(p.classes);
  if (lane_id == 0) {
    double loss = log(sum) - (1.0 - p.label_smoothing) * (at - top);
    if (rest != 0.f) loss -= rest * sum_z;
    samples[n] = {loss, at != at ? INT_MAX : larger};
  }
  if (!dlogits) return;
  const float inverse = static_cast<float>(1 / sum),
              scale = 1.f / static_cast<float>(SoftmaxCrossEntropy::divisor(p));
  for (int64_t first = lane_id; first < p.classes; first += at_once * warp_size) {
    float v[at_once];
#pragma unroll
    for (int i = 0; i < at_once; ++i) {
      const int64_t k = first + i * warp_size;
      v[i] = k < p.classes ? static_cast<float>(z[k]) : 0.f;
    }
#pragma unroll
    for (int i = 0; i < at_once; ++i) {
      const int64_t k = first + i * warp_size;
      const float target = k == label ? 1.f - p.label_smoothing + rest : rest;
      if (k < p.classes) dlogits[n * p.classes + k] = T((expf(v[i] - top) * inverse - target) * scale);
    }
  }
}

__global__ void totals_kernel(int64_t n, int64_t divisor, const Sample* samples, float* loss, int32_t* top1,
                              int32_t* top5) {
  double sum = 0;
  int first = 0, five = 0;
  for (int64_t i = threadIdx.x; i < n; i += threads) {
    sum += samples[i].loss;
    first += samples[i].larger < 1;
    five += samples[i].larger < 5;
  }
  sum = block_sum<threads>(sum);
  first = block_sum<threads>(first);
  five = block_sum<threads>(five);
  if (threadIdx.x == 0) {
    *loss = static_cast<float>(sum / static_cast<double>(divisor));
    *top1 = first;
    *top5 = five;
  }
}

size_t workspace_bytes(const Params& p) {
  return static_cast<size_t>(p.n) * sizeof(Sample);
}

void forward_backward(const Params& p, const SoftmaxCrossEntropy::Arrays& a) {
  auto* samples = static_cast<Sample*>(a.workspace);
  by_dtype(p.dtype, [&]<class T>() {
    launch({"softmax_cross_entropy", blocks_for(p.n, samples_per_block), threads}, samples_kernel<T>, p,
           static_cast<const T*>(a.logits), a.labels, static_cast<T*>(a.dlogits), samples);
  });
  launch({"softmax_totals", 1, threads, sizeof(BlockSum<double, threads>)}, totals_kernel, p.n,
         SoftmaxCrossEntropy::divisor(p), static_cast<const Sample*>(samples), a.loss, a.top1, a.top5);
}

}  // namespace

const SoftmaxCrossEntropy softmax_cross_entropy{.workspace_bytes = workspace_bytes,
                                                .forward_backward = forward_backward};

}  // namespace eb::kernels::cuda
