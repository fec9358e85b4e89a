// Convolution between tensors in block floating point: y = Q(conv(x, w) + b); on the way back e = Q(dy) takes
// the place of dy (docs/method.md 5.1).
#pragma once
#include "engine/bfp/quantize.h"
#include "engine/ops/conv2d.h"

namespace eb::engine {

struct BlockConv2dOptions {
  Conv2dOptions conv;
  BlockFormat activation, error;
  Rounding output_rounding, error_rounding;
  bool integer = true;  // see Precision
};

// x in block floating point: int8 products with weights.codes, and with
// weights.backward_codes on the way back. x in the compute dtype: products with
// weights.w, whose numbers are those of a block format already.
Tensor block_conv2d(const Tensor& x, Conv2dWeights& weights, const BlockConv2dOptions& options);

}  // namespace eb::engine
