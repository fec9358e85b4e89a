// Pooling over (N, H, W, C). Max keeps window indices for backward; average divides by the whole window.
#pragma once
#include "engine/tensor/autograd.h"

namespace eb::engine {

struct Pool2dOptions {
  int64_t kernel[2], stride[2], pad[2] = {0, 0};
};

Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options);
Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options);
Tensor global_avg_pool2d(const Tensor& x);  // (N, 1, 1, C)

}  // namespace eb::engine
