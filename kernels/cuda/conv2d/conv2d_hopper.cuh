// The convolution path of sm_90a: bf16, forward and backward-data with stride 1, by wgmma fed by the copy
// unit.
#pragma once
#include "kernels/conv2d.h"
#include "kernels/cuda/platform/device_limits.h"

namespace eb::kernels::cuda {

// Whether the path exists for these parameters on such a device and is expected to be the faster one.
bool hopper_suits(const Conv2d::Params&, Conv2d::Direction, const DeviceLimits&);
int64_t conv2d_moment_rows_hopper(const Conv2d::Params&, const DeviceLimits&);
void conv2d_forward_hopper(const Conv2d::Params&, const void* x, const void* w, const float* b, void* y,
                           float* moments);
void conv2d_backward_data_hopper(const Conv2d::Params&, const void* dy, const void* w, void* dx);

inline constexpr int hopper_chunk = 64;  // steps of the reduction in a stage
// Tiles of dw; each is computed once a slice of so many chunks of pixels, into out (slices, K, R, S, C).
int64_t conv2d_backward_weight_hopper_tiles(const Conv2d::Params&);
void conv2d_backward_weight_hopper(const Conv2d::Params&, const void* x, const void* dy, float* out,
                                   int64_t chunks_per_slice, int64_t slices);

}  // namespace eb::kernels::cuda
