// Descriptions of bf16 and int8 tensors for the copy unit of sm_90 (TMA), made on the host and passed to a
// kernel by value. On CUDA a map is the driver's opaque 128 bytes, on the emulated device the description
// itself.
#pragma once
#include <cstdint>

namespace eb::kernels::cuda {

// A dense tensor read in boxes; the innermost extent comes first. A box holds at most 128 bytes of that
// extent; what lies outside the tensor is read as zero.
struct BoxTensor {
  const void* data;
  int64_t extent[3];
  int box[3];
  int element_bytes = 2;  // or 1
};

// Activations (N, H, W, C) read as runs of `pixels` positions by `channels` channels. Positions go along W,
// then H, then N through a window of each image, from `lower` to `upper` beyond its last pixel (both {h, w},
// -128 to 127), in steps of `stride` ({h, w}, 1 to 8).
struct PixelTensor {
  const void* data;
  int64_t n, h, w, c;
  int lower[2], upper[2];
  int channels, pixels;
  int element_bytes = 2;
  int stride[2] = {1, 1};
};

#ifdef EB_EMULATED
struct TensorMap {
  BoxTensor boxes{};
  PixelTensor pixels{};
};
#else
struct alignas(128) TensorMap {
  unsigned char opaque[128];
};
#endif

TensorMap tensor_map(const BoxTensor&);
TensorMap tensor_map(const PixelTensor&);

}  // namespace eb::kernels::cuda
