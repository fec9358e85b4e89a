// How long work takes on a device, by the device's own clock.
#pragma once
#include <functional>

#include "kernels/pick.h"

namespace eb::kernels {

struct Stopwatch {
  // Seconds from the first to the last of what `work` queues; what was queued before is done by then. Waits
  // for the device, so a CUDA graph that is being captured is a std::logic_error.
  double (*time)(const std::function<void()>& work);
};

namespace cpu {
extern const Stopwatch stopwatch;
}
namespace cuda {
extern const Stopwatch stopwatch;
}
inline const Stopwatch& stopwatch(Device d) {
  return pick<cpu::stopwatch, cuda::stopwatch>(d);
}

}  // namespace eb::kernels
