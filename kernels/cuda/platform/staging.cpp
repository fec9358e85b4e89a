#include "kernels/cuda/platform/staging.h"

#include <algorithm>
#include <cstring>

#include "kernels/capture_guard.h"
#include "kernels/cuda/platform/call_with_room.h"
#include "kernels/cuda/platform/runtime.h"

namespace eb::kernels::cuda {

void Staging::copy(void* device, const void* host, size_t bytes, cudaStream_t on) {
  refuse_while_capturing("copy to the device");
  const std::lock_guard lock(mutex_);
  for (size_t at = 0; at < bytes; at += buffer_bytes)
    copy_piece(static_cast<char*>(device) + at, static_cast<const char*>(host) + at,
               std::min(buffer_bytes, bytes - at), on);
}

void Staging::copy_piece(void* device, const void* host, size_t bytes, cudaStream_t on) {
  Buffer& b = ring_[next_++ % ring_.size()];
  if (!b.block) {
    check(cudaEventCreateWithFlags(&b.free, cudaEventDisableTiming), "staging");
    check(call_with_room([&] { return cudaMallocHost(&b.block, buffer_bytes); }), "pinned memory");
  } else {
    check(cudaEventSynchronize(b.free), "staging");
  }
  std::memcpy(b.block, host, bytes);
  check(cudaMemcpyAsync(device, b.block, bytes, cudaMemcpyHostToDevice, on), "copy to the device");
  check(cudaEventRecord(b.free, on), "staging");
}

// Never destroyed: at exit the driver may be gone before static storage is.
Staging& staging() {
  static Staging* instance = new Staging;
  return *instance;
}

}  // namespace eb::kernels::cuda
