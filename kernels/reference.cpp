#include "kernels/reference.h"

#include "kernels/built_libraries.h"

namespace eb::kernels {

const Conv2d* library_conv2d([[maybe_unused]] Device d) {
  if constexpr (built::cudnn)
    if (d == Device::cuda) return &cuda::cudnn_conv2d;
  return nullptr;
}

const Conv2d* reference_conv2d([[maybe_unused]] Device d) {
  if constexpr (built::cudnn)
    if (d == Device::cuda) return &cuda::cudnn_conv2d_measured;
  return nullptr;
}

const Linear* reference_linear([[maybe_unused]] Device d) {
  if constexpr (built::cublas)
    if (d == Device::cuda) return &cuda::cublas_linear;
  return nullptr;
}

}  // namespace eb::kernels
