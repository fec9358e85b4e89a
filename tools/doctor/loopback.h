// Two ranks on this machine that exchange bytes, as a run of several would.
#pragma once
#include <optional>

#include "tools/doctor/mpi.h"

namespace eb::tools {

// Nothing where there is no launcher, or where a build cannot talk between processes, as this one: then two
// processes under mpirun would tell nothing of each other.
std::optional<Line> loopback_line(const MpiFacts& mpi);

}  // namespace eb::tools
