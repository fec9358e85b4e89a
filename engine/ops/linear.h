// y = x w^T + b. x (N, H, W, C) is read as (N, H * W * C); w (out, H, W, C), b (out) f32 or undefined; y (N,
// 1, 1, out).
#pragma once
#include "engine/tensor/autograd.h"

namespace eb::engine {

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b, bool deterministic = false);

}  // namespace eb::engine
