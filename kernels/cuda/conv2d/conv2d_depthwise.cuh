// Depthwise convolutions (a group for each input channel): bound by bytes, so no tensor cores. A thread owns
// some neighbouring channels and a few outputs of one row.
#pragma once
#include "kernels/conv2d.h"
#include "kernels/cuda/policy/device_limits.h"

namespace eb::kernels::cuda {

bool is_depthwise(const Conv2d::Params&);
void depthwise_forward(const Conv2d::Params&, const void* x, const void* w, const float* b, void* y);
void depthwise_backward_data(const Conv2d::Params&, const void* dy, const void* w, void* dx);
// Sums of so many slices of the batch, each in a fixed order, into out (slices, K, R, S).
int64_t depthwise_weight_slices(const Conv2d::Params&, const DeviceLimits&);
void depthwise_backward_weight(const Conv2d::Params&, const void* x, const void* dy, float* out,
                               int64_t slices);

}  // namespace eb::kernels::cuda
