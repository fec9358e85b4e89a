#include "engine/ops/recorded_seconds.h"

#include "kernels/stopwatch.h"

namespace eb::engine {

static void* recording_of(kernels::Device device, const kernels::Capture& capture,
                          const std::function<void()>& work) {
  kernels::stopwatch(device).time([] {});  // refuses inside a recording, which another one would spoil
  capture.begin();
  try {
    work();
  } catch (...) {
    capture.abandon();
    throw;
  }
  return capture.end();
}

RecordedWork::RecordedWork(kernels::Device device, const kernels::Capture& capture,
                           const std::function<void()>& work)
    : device_(device), capture_(capture), recording_(recording_of(device, capture, work), capture.destroy) {}

double RecordedWork::seconds() const {
  capture_.replay(recording_.get());
  return kernels::stopwatch(device_).time([&] { capture_.replay(recording_.get()); });
}

double recorded_seconds(kernels::Device device, const std::function<void()>& work) {
  if (const kernels::Capture* capture = kernels::capture(device))
    return RecordedWork(device, *capture, work).seconds();
  return kernels::stopwatch(device).time(work);
}

}  // namespace eb::engine
