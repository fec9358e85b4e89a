// Which CUDA kernel computes each convolution of the four networks, in which tile, and how near to the card's
// peak it is predicted to come (kernels/cuda/policy). Needs no card: nothing is measured.
#pragma once
#include <string>

#include "kernels/conv2d.h"
#include "kernels/cuda/policy/device_limits.h"

namespace eb::tools {

// Of the multiplications of a network's convolutions at a batch, all directions or one: the share on wgmma.
double wgmma_share(const std::string& network, int64_t batch, const kernels::cuda::DeviceLimits& limits);
double wgmma_share(const std::string& network, int64_t batch, kernels::Conv2d::Direction d,
                   const kernels::cuda::DeviceLimits& limits);

// docs/launch_policy.md.
std::string policy_tables(const kernels::cuda::DeviceLimits& limits);

}  // namespace eb::tools
