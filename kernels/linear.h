// y = x w^T + b. Accumulates in fp32; dw and db are fp32.
#pragma once
#include "kernels/conv2d.h"

namespace eb::kernels {

struct Linear {
  using Direction = Conv2d::Direction;
  struct Params {
    DType dtype = DType::f32;  // of x, w, y, dx and dy; b, dw and db are f32
    int64_t n, in, out;        // x (N, in), w (out, in), y (N, out)
    bool tf32 = false;         // as in Conv2d
    bool deterministic = false;
    bool operator==(const Params&) const = default;
  };
  struct Forward {
    const void* x;              // (N, in)
    const void* w;              // (out, in)
    const float* b = nullptr;   // (out)
    void* y;                    // (N, out)
    void* workspace = nullptr;  // (workspace_bytes)
  };
  struct BackwardData {
    const void* dy;             // (N, out)
    const void* w;              // (out, in)
    void* dx;                   // (N, in)
    void* workspace = nullptr;  // (workspace_bytes)
  };
  struct BackwardWeight {
    const void* x;              // (N, in)
    const void* dy;             // (N, out)
    float* dw;                  // (out, in), overwritten
    float* db = nullptr;        // (out), overwritten
    void* workspace = nullptr;  // (workspace_bytes)
  };
  size_t (*workspace_bytes)(const Params&, Direction);
  void (*forward)(const Params&, const Forward&);
  void (*backward_data)(const Params&, const BackwardData&);
  void (*backward_weight)(const Params&, const BackwardWeight&);
};

namespace cpu {
extern const Linear linear;
}
namespace cuda {
extern const Linear linear;
}
inline const Linear& linear(Device d) {
  return pick<cpu::linear, cuda::linear>(d);
}

}  // namespace eb::kernels
