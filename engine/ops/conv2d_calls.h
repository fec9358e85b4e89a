// The calls that plain and block floating point convolutions share: checked parameters, and the kernels of
// kernels/conv2d.h that `choice` picks, with their packing and workspace.
#pragma once
#include "engine/ops/conv2d.h"

namespace eb::engine {

// Throws EB6003 where a card's kernels, which count positions in 31 bits, cannot address x or y.
void check_positions(const kernels::Conv2d::Params& p, Device device);
// The dtype is that of the numbers x stands for.
kernels::Conv2d::Params conv2d_params(const Tensor& x, const Conv2dWeights& weights, const Conv2dOptions& o);
Tensor conv2d_forward(const kernels::Conv2d::Params& p, const Tensor& x, Conv2dWeights& weights,
                      Moments* moments, ConvChoice* choice);
void conv2d_backward_weight(const kernels::Conv2d::Params& p, const Tensor& x, const Tensor& dy,
                            const Tensor& dw, const Tensor& db, ConvChoice* choice);
Tensor conv2d_backward_data(const kernels::Conv2d::Params& p, const Tensor& w, const Tensor& dy,
                            const Shape& shape, ConvChoice* choice);

}  // namespace eb::engine
