// The threads of the CPU kernels' loops (parallel.h). Their number never changes a result when
// Params::deterministic is set.
#pragma once

namespace eb::kernels::cpu {

// >= 1; for loops that begin later. At first the CPUs this process may use, or OMP_NUM_THREADS.
void set_threads(int threads);
int threads();

// Of the calling thread within the loop it is in, 0 <= thread_index() < threads(): whose part of a workspace
// is its own.
int thread_index();

}  // namespace eb::kernels::cpu
