// What the card gives to a launch. Policies (which tile, how many blocks) are functions of a call's Params
// and these limits, so sums have the same bits on cards of as many processors. Tests set the emulated
// device's (kernels/emulated/device_limits.h).
#pragma once
#include <cstdint>

namespace eb::kernels::cuda {

struct DeviceLimits {
  int64_t processors = 132;  // SMs; those of an H200
  bool wgmma = false;  // an sm_90, whose 227 KiB of shared memory a block may have, and code for it here
};

const DeviceLimits& device_limits();  // of the current device, which is asked once

}  // namespace eb::kernels::cuda
