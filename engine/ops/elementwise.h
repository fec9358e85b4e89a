// Elementwise ops on tensors of any shape; select keeps channels of (N, H, W, C).
#pragma once
#include "engine/tensor/autograd.h"

namespace eb::engine {

Tensor relu(const Tensor& x);
Tensor add(Tensor a, const Tensor& b);      // writes into a if it was moved here and nothing else holds it
Tensor cast(const Tensor& x, DType dtype);  // differentiable; x itself if it has the dtype
// select (K) i32: ascending channels to keep.
Tensor select(const Tensor& x, const Tensor& select);

}  // namespace eb::engine
