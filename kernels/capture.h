// A sequence of launches recorded once and replayed as a whole: a CUDA graph. The host then does the work of
// one launch instead of hundreds. Between begin and end nothing runs; what would wait for the device or copy
// from the host is a std::logic_error there (kernels/capture_guard.h).
#pragma once
#include "kernels/pick.h"

namespace eb::kernels {

struct Capture {
  void (*begin)();
  void* (*end)();     // the recording; DeviceMemoryError if the device has no room for it
  void (*abandon)();  // instead of end, after an exception
  void (*replay)(void* recording);
  void (*destroy)(void* recording);  // waits for its last replay
};

namespace cuda {
extern const Capture capture;
}
// Null where launches cost nothing.
inline const Capture* capture(Device d) {
  if constexpr (built::cuda)
    if (d == Device::cuda) return &cuda::capture;
  return nullptr;
}

}  // namespace eb::kernels
