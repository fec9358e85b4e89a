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
inline const Conv2d* library_conv2d(Device d) {
  if constexpr (built::cudnn)
    if (d == Device::cuda) return &cuda::cudnn_conv2d;
  return nullptr;
}

// Yardsticks: the fastest that the library has, found by measuring.
inline const Conv2d* reference_conv2d(Device d) {
  if constexpr (built::cudnn)
    if (d == Device::cuda) return &cuda::cudnn_conv2d_measured;
  return nullptr;
}
inline const Linear* reference_linear(Device d) {
  if constexpr (built::cublas)
    if (d == Device::cuda) return &cuda::cublas_linear;
  return nullptr;
}

}  // namespace eb::kernels
