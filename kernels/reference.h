// The vendor libraries' kernels on a device; null where this build has none.
#pragma once
#include "kernels/conv2d.h"
#include "kernels/linear.h"

namespace eb::kernels {

namespace cuda {
extern const Conv2d cudnn_conv2d, cudnn_conv2d_measured;
extern const Linear cublas_linear;
}  // namespace cuda

// For training: which algorithm runs depends on the shape alone, so a resumed run computes the same bits.
const Conv2d* library_conv2d(Device);

// Yardsticks: the fastest that the library has, found by measuring.
const Conv2d* reference_conv2d(Device);
const Linear* reference_linear(Device);

}  // namespace eb::kernels
