// The three directions and what they share; conv2d.cu fills in the contract.
#pragma once
#include "kernels/conv2d.h"
#include "kernels/cuda/conv2d/conv2d_loaders.cuh"

namespace eb::kernels::cuda {

inline Window window_of(const Conv2d::Params& p, int64_t h, int64_t w, int64_t channels) {
  const auto i = [](int64_t v) { return static_cast<int>(v); };
  return {i(h),       i(w),       channels,     i(p.stride_h),  i(p.stride_w),
          i(p.pad_h), i(p.pad_w), i(p.r * p.s), FastDivide(p.s)};
}

size_t conv2d_workspace(const Conv2d::Params&, Conv2d::Direction);
int64_t conv2d_moment_rows(const Conv2d::Params&);
void conv2d_forward(const Conv2d::Params&, const Conv2d::Forward&);
void conv2d_backward_data(const Conv2d::Params&, const Conv2d::BackwardData&);
size_t conv2d_backward_weight_workspace(const Conv2d::Params&);
void conv2d_backward_weight(const Conv2d::Params&, const Conv2d::BackwardWeight&);

}  // namespace eb::kernels::cuda
