// Elementwise ops on tensors of any shape; select keeps channels of (N, H, W, C).
#pragma once
#include "engine/autograd.h"

namespace eb::engine {

Tensor relu(const Tensor& x);
Tensor add(Tensor a, const Tensor& b);      // writes into a if it was moved here and nothing else holds it
Tensor cast(const Tensor& x, DType dtype);  // differentiable; x itself if it has the dtype
// select: ascending channels to keep; must outlive the tape.
Tensor select(const Tensor& x, const std::vector<int32_t>& select);

}  // namespace eb::engine
