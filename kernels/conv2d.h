// y = conv(x, w) + b. Backward-data reads w, backward-weight reads x. Layouts: activations NHWC, weights
// OHWI. Sums are accumulated in fp32 whatever the dtype; gradients of parameters are always fp32.
#pragma once
#include "kernels/pick.h"

namespace eb::kernels {

struct Conv2d {
  struct Params {
    DType dtype = DType::f32;  // of x, y, w, dx and dy; b, dw and db are f32
    int64_t n, h, w, c;        // x (N, H, W, C)
    int64_t k, r, s;           // w (K, R, S, C / groups)
    int64_t stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0;
    int64_t groups = 1;
    bool tf32 = false;           // f32 products of 11 significant bits where the device has them (CUDA)
    bool deterministic = false;  // same bits for any number of threads, at some cost (see the backend)
    constexpr int64_t out_h() const { return (h + 2 * pad_h - r) / stride_h + 1; }
    constexpr int64_t out_w() const { return (w + 2 * pad_w - s) / stride_w + 1; }
    bool operator==(const Params&) const = default;
  };
  enum class Direction : uint8_t { forward, backward_data, backward_weight };

  // Bytes of temporary memory the call needs, aligned to 64; contents need not survive it.
  size_t (*workspace_bytes)(const Params&, Direction);
  // Bytes of w in the layout the direction wants; 0 if it reads OHWI as it is. Pack once per update.
  size_t (*packed_bytes)(const Params&, Direction);
  void (*pack)(const Params&, Direction, const void* w, void* packed, void* workspace);  // as for the call
  // Rows of y that one slice of the moments covers; 0: none to be had of this shape here.
  int64_t (*moment_rows)(const Params&);
  struct Forward {
    const void* x;              // (N, H, W, C)
    const void* w;              // (K, R, S, C / groups), or packed where packed_bytes > 0
    const float* b = nullptr;   // (K)
    void* y;                    // (N, P, Q, K)
    void* workspace = nullptr;  // (workspace_bytes)
    float* moments = nullptr;   // BatchNorm::Moments of y as it is stored
  };
  struct BackwardData {
    const void* dy;             // (N, P, Q, K)
    const void* w;              // as in Forward
    void* dx;                   // (N, H, W, C)
    void* workspace = nullptr;  // (workspace_bytes)
  };
  struct BackwardWeight {
    const void* x;              // (N, H, W, C)
    const void* dy;             // (N, P, Q, K)
    float* dw;                  // (K, R, S, C / groups), overwritten
    float* db = nullptr;        // (K), overwritten
    void* workspace = nullptr;  // (workspace_bytes)
  };
  void (*forward)(const Params&, const Forward&);
  void (*backward_data)(const Params&, const BackwardData&);
  void (*backward_weight)(const Params&, const BackwardWeight&);
};

namespace cpu {
extern const Conv2d conv2d;
}
namespace cuda {
extern const Conv2d conv2d;
}
inline const Conv2d& conv2d(Device d) {
  return pick<cpu::conv2d, cuda::conv2d>(d);
}

}  // namespace eb::kernels
