#include "kernels/cuda/platform/runtime.h"

#include <mutex>
#include <string>
#include <unordered_map>

#include "kernels/cuda/platform/call_with_room.h"
#include "kernels/device_problem.h"
#include "kernels/sync_launches.h"

namespace eb::kernels::cuda {

namespace {

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

// After these the card is gone, or must be taken out of service, for every process.
bool is_loss(cudaError_t code) {
  return code == cudaErrorDevicesUnavailable || code == cudaErrorECCUncorrectable ||
         code == cudaErrorNvlinkUncorrectable || code == cudaErrorContained || code == cudaErrorNoDevice ||
         code == cudaErrorSystemDriverMismatch || code == cudaErrorUnknown;
}

}  // namespace

void check(cudaError_t code, const char* what) {
  if (code == cudaSuccess) return;
  cudaGetLastError();  // or the next call would report it again
  std::string text =
      std::string("[") + what + "] " + cudaGetErrorName(code) + ": " + cudaGetErrorString(code);
  if (code == cudaErrorMemoryAllocation) throw DeviceMemoryError(text);
  if (const std::string hint = device_hint(cudaGetErrorName(code)); !hint.empty()) text += ": " + hint;
  throw DeviceError(text, is_loss(code));
}

cudaStream_t stream() {
  static cudaStream_t const instance = [] {
    cudaStream_t s;
    check(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking), "create the stream");
    return s;
  }();
  return instance;
}

void launch_kernel(const char* name, const void* kernel, dim3 grid, dim3 block, void** arguments,
                   size_t shared_bytes) {
  if (shared_bytes > default_shared_bytes) allow_shared(name, kernel, shared_bytes);
  check(call_with_room(
            [&] { return cudaLaunchKernel(kernel, grid, block, arguments, shared_bytes, stream()); }),
        name);
  if (waits_for_each_launch() && !capturing) check(cudaStreamSynchronize(stream()), name);
}

}  // namespace eb::kernels::cuda
