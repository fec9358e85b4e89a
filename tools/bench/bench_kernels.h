// Every convolution of the four networks (dense and compacted), batch norm, SGD and augmentation on a device,
// beside the vendor's library where this build has it; int8 convolutions beside ours in the compute dtype.
// The device's own ceilings (copy bandwidth, matrix rate in that dtype) are measured first, in the same run.
#pragma once
#include <string>

#include "tools/bench/bench_cases.h"

namespace eb::tools {

struct KernelBench {
  std::string device = "cpu", dtype = "bf16";
  std::string filter;  // a regular expression over "FAMILY NAME"; empty: all cases
  int threads = 0;
  double seconds = 0.02;  // of one timed group
  BenchCasesConfig cases;
  bool json = false, list = false, cpu_time = false;
};

// Prints as it goes; returns the exit code.
int bench_kernels(KernelBench bench);

}  // namespace eb::tools
