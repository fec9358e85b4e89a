// Sum over the threads of a block in a fixed order: lanes of a warp pairwise, then the warps first to last.
#pragma once
#include "kernels/cuda/platform/platform.cuh"

namespace eb::kernels::cuda {

template <class T, int threads>
struct BlockSum {
  T warps[threads / warp_size];
};

// The result is valid in thread 0. Uses the block's shared memory (BlockSum<T, threads>).
template <int threads, class T>
__device__ T block_sum(T v) {
  auto& s = shared<BlockSum<T, threads>>();
  v = warp_sum(v);
  if (threadIdx.x % warp_size == 0) s.warps[threadIdx.x / warp_size] = v;
  sync_threads();
  if (threadIdx.x == 0)
    for (int w = 1; w < threads / warp_size; ++w) v += s.warps[w];
  sync_threads();
  return v;
}

}  // namespace eb::kernels::cuda
