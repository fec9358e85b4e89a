// Host side of the CUDA backend: the current stream, checked calls, launches and scratch memory.
#pragma once
#include <cuda_runtime_api.h>

#include <cstddef>
#include <stdexcept>
#include <string>

namespace eb::kernels::cuda {

// A CUDA call that failed; `what` names the call or the kernel.
class Error : public std::runtime_error {
 public:
  Error(const std::string& what, cudaError_t code);
  cudaError_t code;
};

void check(cudaError_t code, const char* what);  // throws Error unless code is cudaSuccess

// All work is queued on one stream per host thread; null (the default stream) until one is set.
cudaStream_t stream();
void set_stream(cudaStream_t stream);

// Checked launch on the current stream; opts into shared sizes over 48 KiB.
void launch_kernel(const char* name, const void* kernel, dim3 grid, dim3 block, void** arguments,
                   size_t shared_bytes);

// Device memory for one call's partial results, valid until the next call to scratch() on this thread. It
// only grows, so after the first step it never moves and a captured graph may hold its address.
void* scratch(size_t bytes);

}  // namespace eb::kernels::cuda
