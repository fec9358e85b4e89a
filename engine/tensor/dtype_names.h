// The number types by name, for configs and files.
#pragma once
#include "engine/base/enum_names.h"
#include "kernels/dtype.h"

namespace eb::kernels {

constexpr auto enum_names(DType) {
  return engine::names(name_of(DType::f32), name_of(DType::bf16), name_of(DType::u8), name_of(DType::i8),
                       name_of(DType::i16), name_of(DType::i32), name_of(DType::f64), name_of(DType::i64));
}

}  // namespace eb::kernels

namespace eb::engine {

// What layers compute in: precision.mode.
constexpr auto compute_names = names(name_of(kernels::DType::f32), name_of(kernels::DType::bf16));

}  // namespace eb::engine
