// bf16 <-> f32 over contiguous elements, on the calling thread; both loops vectorise.
#pragma once
#include "kernels/dtype.h"

namespace eb::kernels::cpu {

inline void to_f32(int64_t n, const bf16* x, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i];
}

inline void to_bf16(int64_t n, const float* x, bf16* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = bf16(x[i]);
}

}  // namespace eb::kernels::cpu
