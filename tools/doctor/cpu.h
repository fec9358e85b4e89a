// The build, the CPU it runs on, and how much of that and of the memory this process may use.
#pragma once
#include <set>
#include <vector>

#include "tools/doctor/line.h"

namespace eb::tools {

struct CpuFacts {
  std::string model;            // "AMD EPYC"; empty: not told
  std::set<std::string> flags;  // of /proc/cpuinfo: "avx2"; empty: not told
  int cores = 0;                // of the machine
  int allowed = 0;              // of them, by this process's affinity
  double limit = 0;             // in cores, by its control groups; 0: none
};
CpuFacts read_cpu(const fs::path& root);

struct MemoryFacts {
  double total = 0, available = 0, limit = 0;  // bytes; limit by control groups, 0: none
};
MemoryFacts read_memory(const fs::path& root);

// What this build may execute beyond plain x86-64, as /proc/cpuinfo spells it: -march's.
std::vector<std::string> instructions_of_build();

Line build_line(const CpuFacts& cpu, const std::vector<std::string>& instructions);
Line cpu_line(const CpuFacts& cpu);
Line memory_line(const MemoryFacts& memory);

}  // namespace eb::tools
