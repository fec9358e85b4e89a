#include "engine/ops/recorded_seconds.h"

#include <memory>

#include "kernels/capture.h"
#include "kernels/stopwatch.h"

namespace eb::engine {

double recorded_seconds(kernels::Device device, const std::function<void()>& work) {
  const kernels::Stopwatch& watch = kernels::stopwatch(device);
  const kernels::Capture* capture = kernels::capture(device);
  if (!capture) return watch.time(work);
  watch.time([] {});  // refuses inside a recording, which another one would spoil
  capture->begin();
  try {
    work();
  } catch (...) {
    capture->abandon();
    throw;
  }
  const std::unique_ptr<void, void (*)(void*)> recording(capture->end(), capture->destroy);
  capture->replay(recording.get());
  return watch.time([&] { capture->replay(recording.get()); });
}

}  // namespace eb::engine
