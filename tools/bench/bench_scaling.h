// The training step of a config on several numbers of ranks, each started by mpirun.
#pragma once
#include <cstdint>
#include <vector>

#include "tools/experiment/experiment.h"

namespace eb::tools {

struct ScalingBench {
  CommonFlags common;
  std::vector<int64_t> ranks = {1, 2};
  int64_t batch = 0, steps = 5, warmup = 1, rounds = 1;
  int threads = 1;  // of each rank
  bool json = false;
};

// Weak scaling keeps the images of a rank, strong scaling those of a step. Prints the table, returns the exit
// code. Errors of the processes it starts: what they said is on stderr, and their exit code is returned.
int bench_scaling(const ScalingBench& bench);

}  // namespace eb::tools
