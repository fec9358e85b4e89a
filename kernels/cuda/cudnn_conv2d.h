// cuDNN behind the convolution contract: the yardstick of `bench kernels` and a candidate for --conv cudnn.
#pragma once
#include "kernels/conv2d.h"

namespace eb::kernels::cuda {

// The fastest algorithm of each shape is measured at its first call and kept. Weight gradients of bf16
// tensors are bf16 in cuDNN and cast to fp32 afterwards. Throws Error where cuDNN has no algorithm.
extern const Conv2d cudnn_conv2d;

}  // namespace eb::kernels::cuda
