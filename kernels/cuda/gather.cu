// Compaction copies: one thread per element of the smaller weight.
#include "kernels/gather.h"

#include "kernels/cuda/vector.cuh"

namespace eb::kernels::cuda {

namespace {

constexpr int threads = 256;

__global__ void weight_kernel(int64_t n, int64_t taps, int64_t c_out, int64_t c, const float* x,
                              const int32_t* out, const int32_t* in, float* y) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= n) return;
  const int64_t channel = i % c_out, row = i / c_out, tap = row % taps, filter = row / taps;
  const int64_t from = out ? out[filter] : filter;
  y[i] = x[(from * taps + tap) * c + (in ? in[channel] : channel)];
}

void weight(int64_t k_out, int64_t taps, int64_t c_out, int64_t c, const float* x, const int32_t* out,
            const int32_t* in, float* y) {
  const int64_t n = k_out * taps * c_out;
  if (n == 0) return;
  launch({"gather_weight", blocks_for(n, threads), threads}, weight_kernel, n, taps, c_out, c, x, out, in, y);
}

}  // namespace

const Gather gather{.weight = weight};

}  // namespace eb::kernels::cuda
