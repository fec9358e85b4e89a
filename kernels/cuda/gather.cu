// Compaction copies: one thread per element of the smaller weight.
#include "kernels/gather.h"

#include "kernels/cuda/vector.cuh"

namespace eb::kernels::cuda {

namespace {

constexpr int threads = 256;

__global__ void weight_kernel(int64_t n, Gather::Params p, Gather::Arrays a) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= n) return;
  const int64_t channel = i % p.c_out, row = i / p.c_out, tap = row % p.taps, filter = row / p.taps;
  const int64_t from = a.out ? a.out[filter] : filter;
  a.y[i] = a.x[(from * p.taps + tap) * p.c + (a.in ? a.in[channel] : channel)];
}

void weight(const Gather::Params& p, const Gather::Arrays& a) {
  const int64_t n = p.k_out * p.taps * p.c_out;
  if (n == 0) return;
  launch({"gather_weight", blocks_for(n, threads), threads}, weight_kernel, n, p, a);
}

}  // namespace

const Gather gather{.weight = weight};

}  // namespace eb::kernels::cuda
