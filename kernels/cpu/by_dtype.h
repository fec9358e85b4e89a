// Turns a run-time dtype into a template argument, once per call. Activations are f32 or bf16.
#pragma once
#include "kernels/dtype.h"

namespace eb::kernels::cpu {

template <class F>
void by_dtype(DType dtype, F&& f) {
  dtype == DType::bf16 ? f.template operator()<bf16>() : f.template operator()<float>();
}

// Turns up to a few run-time flags into template arguments: by_flags([&]<bool a, bool b>() { ... }, a, b).
template <bool... known, class F>
void by_flags(F&& f) {
  f.template operator()<known...>();
}
template <bool... known, class F, class... Rest>
void by_flags(F&& f, bool flag, Rest... rest) {
  flag ? by_flags<known..., true>(f, rest...) : by_flags<known..., false>(f, rest...);
}

}  // namespace eb::kernels::cpu
