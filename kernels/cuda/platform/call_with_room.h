// A call of CUDA that takes memory.
#pragma once
#include <cuda_runtime_api.h>

#include "kernels/room.h"

namespace eb::kernels::cuda {

// What `call` returns, made once more after cached memory was given back if the device had no room.
template <class F>
cudaError_t call_with_room(F&& call) {
  cudaError_t code = cudaSuccess;
  with_room([&] {
    code = call();
    if (code == cudaErrorMemoryAllocation) cudaGetLastError();  // or the next call would report it again
    return code != cudaErrorMemoryAllocation;
  });
  return code;
}

}  // namespace eb::kernels::cuda
