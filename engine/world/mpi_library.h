// The module with MPI in it (kernels/mpi), loaded when a process turns out to be one of several ranks.
#pragma once
#include "kernels/mpi/mpi_calls.h"

namespace eb::engine {

// From beside the program. Error 9010 if this build has none, or if it cannot be loaded for want of a
// library.
const kernels::MpiCalls& mpi_calls();

}  // namespace eb::engine
