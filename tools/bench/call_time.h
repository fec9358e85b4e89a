// How long one call of a kernel takes: the median of five groups of calls.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "kernels/dtype.h"

namespace eb::tools {

struct CallClock {
  kernels::Device device = kernels::Device::cpu;
  double seconds = 0.02;  // of a group
  bool cpu_time = false;  // tools/bench/bench_clock.h
};

struct CallTime {
  double seconds = 0;  // of one call
  int64_t calls = 0;   // of a group
  std::string
      launched;  // where the device records: why these calls were launched one by one; empty: recorded
};

// Where the device records (kernels/capture.h), a group is recorded and replayed as one launch
// (engine/ops/recorded_seconds.h), which is the kernel's time: a launch by the host costs as much as a small
// kernel. A call that cannot be recorded is launched, again and again. Calls repeat on the same buffers, so
// what fits a cache is read from it.
CallTime time_call(const CallClock& clock, const std::function<void()>& call);

// Ours and what stands beside it, in the same way: recorded if both can be, else launched, and `launched` of
// both says why.
struct CallTimes {
  CallTime ours, theirs;
  std::string failure;  // why theirs did not run: a library may refuse a shape; empty: it ran
};
CallTimes time_calls(const CallClock& clock, const std::function<void()>& ours,
                     const std::function<void()>& theirs);

}  // namespace eb::tools
