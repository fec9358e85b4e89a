// The convolution path of sm_90a in bf16, by wgmma fed by the copy unit. Which shapes take it, in which
// tiles, says policy/conv2d_policy.h.
#pragma once
#include "kernels/conv2d.h"
#include "kernels/cuda/policy/conv2d_policy.h"

namespace eb::kernels::cuda {

// Sums of one launch of forward or backward-data that are cut into slices: (slices, pixels, channels) fp32.
size_t conv2d_hopper_workspace(const Conv2d::Params&, Conv2d::Direction);
int64_t conv2d_moment_rows_hopper(const Conv2d::Params&, const DeviceLimits&);  // 0 where sums are sliced
void conv2d_forward_hopper(const Conv2d::Params&, const Conv2d::Forward&);
void conv2d_backward_data_hopper(const Conv2d::Params&, const Conv2d::BackwardData&);

inline constexpr int hopper_chunk = 64;  // steps of the reduction in a stage
// out (slices, K, R, S, C), as wgmma_weight_launch cuts them.
void conv2d_backward_weight_hopper(const Conv2d::Params&, const void* x, const void* dy, float* out);

}  // namespace eb::kernels::cuda
