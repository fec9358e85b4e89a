// The cards as NVML lists them: the driver's own library, which needs neither CUDA nor a build with it.
#pragma once
#include "tools/doctor/cards.h"

namespace eb::tools {

struct NvmlFacts {
  std::string driver, cuda;  // "580.65.06", "13.0"
  std::vector<Card> cards;   // without their NUMA nodes
};
// kernels::LibraryError where none of `names` loads, or the library does not start.
NvmlFacts read_nvml(const std::vector<std::string>& names);

}  // namespace eb::tools
