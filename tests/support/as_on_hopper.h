// The emulated device as an sm_90a of few SMs whose path is taken whatever the channels, for a scope.
#pragma once
#include "kernels/emulated/device_limits.h"

namespace eb::test {

struct AsOnHopper : kernels::emulated::LimitsScope {
  explicit AsOnHopper(int64_t processors = 1, double useful = 0)
      : LimitsScope({.processors = processors, .wgmma = true, .wgmma_useful = useful}) {}
};

}  // namespace eb::test
