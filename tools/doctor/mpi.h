// MPI, which starts the ranks of a run and introduces them to each other: its launcher and its library.
#pragma once
#include <vector>

#include "tools/doctor/line.h"

namespace eb::tools {

struct MpiFacts {
  bool built = false;                      // this build can use it
  std::string launcher, launcher_version;  // the first mpirun on PATH; what it says of itself, a line
  std::string library, no_library;         // the library's version, or why there is none
};
MpiFacts read_mpi(const std::vector<std::string>& names = {"libmpi.so.40", "libmpi.so.12", "libmpi.so"});

Line mpi_line(const MpiFacts& mpi, int cards);

}  // namespace eb::tools
