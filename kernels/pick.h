// The only place where a backend is chosen. A backend that is not built is not named here: no stubs, no
// macros.
#pragma once
#include "kernels/dtype.h"

namespace eb::kernels {

template <auto& Cpu>
const auto& pick(Device) {
  return Cpu;
}

}  // namespace eb::kernels
