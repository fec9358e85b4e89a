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
  std::string ceilings;   // "COPY_GB_S,TFLOPS" of an earlier call, or "none"; empty: measured first
  BenchCasesConfig cases;
  int64_t skip = 0;  // of the cases that match, the first this many
  bool json = false, json_lines = false, list = false, cpu_time = false;
};

// What is wrong with the text of KernelBench::ceilings, or "".
std::string problem_of_ceilings(const std::string& text);

// Prints as it goes, with json_lines an object a line, each flushed: {"starts": "ceilings", "at": -1} where
// they are measured, {"ceilings"} where they are known, then {"starts", "at"} before a case and {"row"}
// behind it, last {"summary"}. What was measured outlives a process that does not. Without ceilings a row has
// no share_of_ceiling. A row of a card whose calls could not be recorded has the reason as "launched"
// (tools/bench/call_time.h). Returns the exit code.
int bench_kernels(KernelBench bench);

}  // namespace eb::tools
