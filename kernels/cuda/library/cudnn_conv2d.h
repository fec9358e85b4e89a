// cuDNN behind the convolution contract, by its legacy API. Weight gradients of bf16 tensors are bf16 in
// cuDNN and cast to fp32 afterwards; a bias is added to y as it is stored, by a kernel of ours. Only
// algorithms that cuDNN calls deterministic are used; a shape without one is a LibraryError.
#pragma once
#include "kernels/conv2d.h"

namespace eb::kernels::cuda {

// --conv cudnn: cuDNN's own rules name the algorithm of a shape, the same in every process.
extern const Conv2d cudnn_conv2d;
// The yardstick of `bench kernels`: the fastest algorithm of each shape, timed at its first call and kept.
extern const Conv2d cudnn_conv2d_measured;

}  // namespace eb::kernels::cuda
