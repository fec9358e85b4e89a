// Max and average pooling over NHWC. Max saves the window index of its first maximum (row-major in the
// window); average divides by the full window, padding included, as PyTorch's default does.
#pragma once
#include "kernels/pick.h"

namespace eb::kernels {

struct Pool2d {
  struct Params {
    DType dtype = DType::f32;
    int64_t n, h, w, c;  // x (N, H, W, C)
    int64_t r, s;        // window; r * s <= 255 for max
    int64_t stride_h, stride_w, pad_h = 0, pad_w = 0;
    constexpr int64_t out_h() const { return (h + 2 * pad_h - r) / stride_h + 1; }
    constexpr int64_t out_w() const { return (w + 2 * pad_w - s) / stride_w + 1; }
  };
  // index (N, P, Q, C) may be null when no backward follows. y (N, P, Q, C)
  void (*max_forward)(const Params&, const void* x, void* y, uint8_t* index);
  void (*max_backward)(const Params&, const uint8_t* index, const void* dy, void* dx);
  void (*avg_forward)(const Params&, const void* x, void* y);
  void (*avg_backward)(const Params&, const void* dy, void* dx);
};

namespace cpu {
extern const Pool2d pool2d;
}
namespace cuda {
extern const Pool2d pool2d;
}
inline const Pool2d& pool2d(Device d) {
  return pick<cpu::pool2d, cuda::pool2d>(d);
}

}  // namespace eb::kernels
