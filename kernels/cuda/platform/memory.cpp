#include "kernels/memory.h"

#include <cstring>
#include <new>

#include "kernels/capture_guard.h"
#include "kernels/cuda/platform/runtime.h"
#include "kernels/cuda/platform/staging.h"

namespace eb::kernels::cuda {

namespace {

void* allocate(size_t bytes) {
  void* block = nullptr;
  const cudaError_t code = cudaMalloc(&block, bytes ? bytes : 1);
  if (code == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    throw std::bad_alloc();
  }
  check(code, "allocate");
  return block;
}

// Destructors call it, so it never throws: after a kernel failed every call fails, and the next one that
// waits says so. At exit the driver may be gone before the last tensor.
void release(void* block) {
  static_cast<void>(cudaFree(block));
}

void to_device(void* device, const void* host, size_t bytes) {
  staging().copy(device, host, bytes, stream());
}

void to_host(void* host, const void* device, size_t bytes) {
  refuse_while_capturing("copy to the host");
  check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream()), "copy to the host");
  check(cudaStreamSynchronize(stream()), "copy to the host");
}

void copy(void* to, const void* from, size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream()), "copy on the device");
}

void zero(void* device, size_t bytes) {
  check(cudaMemsetAsync(device, 0, bytes, stream()), "zero");
}

void synchronize() {
  refuse_while_capturing("synchronize");
  check(cudaStreamSynchronize(stream()), "synchronize");
}

}  // namespace

const Memory memory{.allocate = allocate,
                    .release = release,
                    .to_device = to_device,
                    .to_host = to_host,
                    .copy = copy,
                    .zero = zero,
                    .synchronize = synchronize};

}  // namespace eb::kernels::cuda
