#include "kernels/cuda/platform/probe.h"

#include "kernels/cuda/platform/platform.cuh"

namespace eb::kernels::cuda {

static __global__ void nothing() {}

const void* probe_kernel() {
  return reinterpret_cast<const void*>(nothing);
}

}  // namespace eb::kernels::cuda
