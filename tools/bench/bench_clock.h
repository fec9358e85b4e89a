// The clock of the benches.
#pragma once
#include <ctime>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "kernels/dtype.h"

namespace eb::tools {

// cpu_time: seconds that this process ran, which is what a thread alone on its core would take; on a machine
// that others use too, wall-clock time is theirs as much.
inline double clock_seconds(bool cpu_time) {
  timespec t{};
  clock_gettime(cpu_time ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

inline void check_clock(bool cpu_time, kernels::Device device, int threads) {
  if (cpu_time && (device != kernels::Device::cpu || threads != 1))
    throw Error(errors::bad_command_line, "--cpu-time: only the CPU's time on one thread is a duration",
                "give --threads 1");
}

}  // namespace eb::tools
