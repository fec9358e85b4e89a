// How long a piece of a training step takes on a device, as it runs there.
#pragma once
#include <functional>
#include <memory>

#include "kernels/capture.h"

namespace eb::engine {

// Work that was recorded once, to be timed as often as wanted. It must have been called before, and repeating
// it must change nothing. An error while something else is being recorded; what `work` throws is passed on.
class RecordedWork {
 public:
  RecordedWork(kernels::Device device, const kernels::Capture& capture, const std::function<void()>& work);
  // Replays it twice; the first replay keeps the device busy until the host has queued the second, whose time
  // it is, so launches and allocations by the host are not in it.
  double seconds() const;

 private:
  kernels::Device device_;
  const kernels::Capture& capture_;
  std::unique_ptr<void, void (*)(void*)> recording_;
};

// RecordedWork's seconds where the device records. Elsewhere `work` is called once.
double recorded_seconds(kernels::Device device, const std::function<void()>& work);

}  // namespace eb::engine
