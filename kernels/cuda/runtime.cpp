#include "kernels/cuda/runtime.h"

#include <mutex>
#include <unordered_map>

namespace eb::kernels::cuda {

namespace {

thread_local cudaStream_t current = nullptr;

// Shared memory a launch may use without asking (CUDA programming guide, technical specifications).
constexpr size_t default_shared_bytes = 48 << 10;

void allow_shared(const char* name, const void* kernel, size_t bytes) {
  static std::mutex mutex;
  static std::unordered_map<const void*, size_t> allowed;
  const std::lock_guard lock(mutex);
  size_t& most = allowed[kernel];
  if (bytes <= most) return;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
        name);
  most = bytes;
}

struct Scratch {
  void* block = nullptr;
  size_t bytes = 0;
};

}  // namespace

Error::Error(const std::string& what, cudaError_t c)
    : std::runtime_error("[" + what + "] " + cudaGetErrorName(c) + ": " + cudaGetErrorString(c)), code(c) {}

void check(cudaError_t code, const char* what) {
  if (code == cudaSuccess) return;
  cudaGetLastError();  // or the next call would report it again
  throw Error(what, code);
}

cudaStream_t stream() {
  return current;
}
void set_stream(cudaStream_t s) {
  current = s;
}

void launch_kernel(const char* name, const void* kernel, dim3 grid, dim3 block, void** arguments,
                   size_t shared_bytes) {
  if (shared_bytes > default_shared_bytes) allow_shared(name, kernel, shared_bytes);
  check(cudaLaunchKernel(kernel, grid, block, arguments, shared_bytes, stream()), name);
}

// Grows by doubling; freed memory may still be read by queued work, so the stream is waited for first.
void* scratch(size_t bytes) {
  thread_local Scratch buffer;
  if (bytes <= buffer.bytes) return buffer.block;
  check(cudaStreamSynchronize(stream()), "scratch");
  check(cudaFree(buffer.block), "scratch");
  buffer = {};
  size_t wanted = size_t{1} << 20;
  while (wanted < bytes) wanted *= 2;
  check(cudaMalloc(&buffer.block, wanted), "scratch");
  buffer.bytes = wanted;
  return buffer.block;
}

}  // namespace eb::kernels::cuda
