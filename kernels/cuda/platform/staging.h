// Host data on its way to the card through a ring of pinned buffers: the copy is asynchronous, and the caller
// may reuse its memory at once. The host waits only when the ring is full.
#pragma once
#include <cuda_runtime_api.h>

#include <array>
#include <cstddef>
#include <mutex>

namespace eb::kernels::cuda {

class Staging {
 public:
  void copy(void* device, const void* host, size_t bytes, cudaStream_t on);

 private:
  struct Buffer {
    void* block = nullptr;
    cudaEvent_t free = nullptr;  // the copy out of it is done
  };
  // A whole batch fits, so the host fills the next one while the device computes: 256 images of 224 x 224 are
  // 36.75 MiB in five pieces, and ids and labels one each.
  static constexpr size_t buffer_bytes = size_t{8} << 20;
  void copy_piece(void* device, const void* host, size_t bytes, cudaStream_t on);

  std::mutex mutex_;
  std::array<Buffer, 8> ring_;
  size_t next_ = 0;
};

Staging& staging();

}  // namespace eb::kernels::cuda
