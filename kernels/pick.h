// The only place where a backend is chosen. A backend that is not built vanishes at compile time.
#pragma once
#include "kernels/built.h"
#include "kernels/dtype.h"

namespace eb::kernels {

template <auto& Cpu, auto& Cuda>
const auto& pick(Device d) {
  if constexpr (built::cuda)
    if (d == Device::cuda) return Cuda;
  return Cpu;
}

}  // namespace eb::kernels
