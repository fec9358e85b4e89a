// `eb_engine bench policy`: what tools/bench/bench_policy.h says of a card.
#include <iostream>
#include <memory>

#include "tools/bench/bench_policy.h"
#include "tools/cli/commands.h"

namespace eb::tools {

Command bench_policy_command() {
  const auto limits = std::make_shared<kernels::cuda::DeviceLimits>();
  limits->wgmma = true;
  return {
      .name = "policy",
      .doc =
          "Print which CUDA kernel each convolution of the four networks takes; needs no card and measures "
          "nothing",
      .flags = {Flag{"--processors", &limits->processors, "SMs of the card (default: an H200's)"}.positive()},
      .run =
          [limits] {
            std::cout << policy_tables(*limits);
            return 0;
          },
  };
}

}  // namespace eb::tools
