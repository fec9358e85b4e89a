// The emulated device has an H200's limits but no wgmma: tests that want others set them for a scope.
#pragma once
#include "kernels/cuda/policy/device_limits.h"

namespace eb::kernels::emulated {

class LimitsScope {
 public:
  explicit LimitsScope(const cuda::DeviceLimits& limits);
  ~LimitsScope();
  LimitsScope(const LimitsScope&) = delete;
  LimitsScope& operator=(const LimitsScope&) = delete;

 private:
  cuda::DeviceLimits before_;
};

}  // namespace eb::kernels::emulated
