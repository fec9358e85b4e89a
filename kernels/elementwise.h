// Elementwise ops over n contiguous elements. relu_backward reads y, not x. Outputs may alias inputs.
#pragma once
#include "kernels/pick.h"

namespace eb::kernels {

struct Elementwise {
  struct Params {
    DType dtype = DType::f32;
    int64_t n;
  };
  void (*relu_forward)(const Params&, const void* x, void* y);
  void (*relu_backward)(const Params&, const void* y, const void* dy, void* dx);
  void (*add)(const Params&, const void* a, const void* b, void* y);
  void (*fill)(const Params&, float value, void* y);
  void (*scale)(const Params&, float factor, void* y);
  void (*cast)(int64_t n, DType from, const void* x, DType to, void* y);  // f32 <-> bf16, or a copy
  // y (rows, k) <- x (rows, c) at channels select (k), and its transpose (dx zero elsewhere).
  void (*select_forward)(DType, int64_t rows, int64_t c, int64_t k, const void* x, const int32_t* select,
                         void* y);
  void (*select_backward)(DType, int64_t rows, int64_t c, int64_t k, const void* dy, const int32_t* select,
                          void* dx);
};

namespace cpu {
extern const Elementwise elementwise;
}
namespace cuda {
extern const Elementwise elementwise;
}
inline const Elementwise& elementwise(Device d) {
  return pick<cpu::elementwise, cuda::elementwise>(d);
}

}  // namespace eb::kernels
