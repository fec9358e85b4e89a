// y = x w^T + b. Accumulates in fp32; dw and db are fp32.
#pragma once
#include "kernels/pick.h"

namespace eb::kernels {

struct Linear {
  struct Params {
    DType dtype = DType::f32;  // of x, w, y, dx and dy; b, dw and db are f32
    int64_t n, in, out;        // x (N, in), w (out, in), y (N, out)
    bool tf32 = false;         // as in Conv2d
    bool deterministic = false;
    bool operator==(const Params&) const = default;
  };
  void (*forward)(const Params&, const void* x, const void* w, const float* b, void* y);
  void (*backward_data)(const Params&, const void* dy, const void* w, void* dx);
  void (*backward_weight)(const Params&, const void* x, const void* dy, float* dw,
                          float* db);  // db may be null
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
