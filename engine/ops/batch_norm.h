// y = relu(bn(x)[select] + residual), with relu, select and residual each optional: one op, because a network
// spends its memory traffic here.
#pragma once
#include "engine/ops/moments.h"
#include "engine/tensor/autograd.h"

namespace eb::engine {

struct BatchNormOptions {
  float eps = 1e-5f, momentum = 0.1f;
  bool relu = false;
  bool train = true;          // batch statistics; otherwise the running ones
  Tensor select;              // (K) i32 ascending channels of x to keep; undefined for all
  Moments moments;            // of x, where the convolution before left them; training alone reads them
  Tensor* largest = nullptr;  // if asked for, becomes the largest of y's samples: kernels::BatchNorm, (N)
};

// x (N, H, W, C), in block floating point too (so it is kept for backward), gamma, beta (C) leaves, residual
// (N, H, W, K) or undefined, y (N, H, W, K) with K = C or the length of select. running_mean, running_var
// (C), on the device of x, are updated when options.train.
Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, float* running_mean,
                  float* running_var, const Tensor& residual, const BatchNormOptions& options);

}  // namespace eb::engine
