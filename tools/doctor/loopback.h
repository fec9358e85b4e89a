// Two ranks on this machine that add up numbers, as a run of several would.
#pragma once
#include <optional>

#include "tools/doctor/mpi.h"

namespace eb::tools {

struct LoopbackFacts {
  int exit_code = 0;  // 124: it took longer than the limit
  std::string out, err;
};
// `program` (eb_engine) bench comm with small sizes, in 20 seconds at most.
LoopbackFacts try_loopback(const fs::path& program);

Line loopback_line(const LoopbackFacts& facts);

// Nothing where there is no mpirun, where a build has no MPI, and inside a launcher's process, which starts
// no other.
std::optional<Line> loopback_line(const MpiFacts& mpi);

}  // namespace eb::tools
