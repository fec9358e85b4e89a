// The emulated device as an sm_90a for a scope.
#pragma once
#include "kernels/emulated/device_limits.h"

namespace eb::test {

struct AsOnHopper : kernels::emulated::LimitsScope {
  explicit AsOnHopper(int64_t processors = 132) : LimitsScope({.processors = processors, .wgmma = true}) {}
};

}  // namespace eb::test
