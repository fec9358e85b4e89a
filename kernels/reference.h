// The vendor library's kernels on a device, as yardsticks; null where this build has none.
#pragma once
#include "kernels/conv2d.h"

namespace eb::kernels {

namespace cuda {
extern const Conv2d cudnn_conv2d;
}
inline const Conv2d* reference_conv2d(Device d) {
  if constexpr (built::cudnn)
    if (d == Device::cuda) return &cuda::cudnn_conv2d;
  return nullptr;
}

}  // namespace eb::kernels
