// The emulated device as an sm_90a whose path is taken whatever the shape, for a scope.
#pragma once
#include "kernels/cuda/conv2d/conv2d_dispatch.cuh"
#include "kernels/cuda/conv2d/conv2d_hopper.cuh"
#include "kernels/cuda/gemm/tensor_map.h"

namespace eb::test {

struct AsOnHopper {
  explicit AsOnHopper(int64_t blocks = 1) { set(true, 0, blocks); }
  ~AsOnHopper() { set(false, 0.75, 132); }
  static void set(bool wgmma, double useful, int64_t blocks) {
    kernels::cuda::wgmma_in_tests = wgmma;
    kernels::cuda::least_useful = useful;
    kernels::cuda::least_blocks = blocks;
  }
};

}  // namespace eb::test
