#include "engine/train/step_capture.h"

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "kernels/capture.h"
#include "kernels/room.h"
#include "kernels/sync_launches.h"

namespace eb::engine {

StepCapture::StepCapture(Device device) : enabled(!kernels::waits_for_each_launch()), device_(device) {
  reset();
}

// The pool goes with the last recording and block that came from it.
void StepCapture::reset() {
  recordings_.clear();
  if (kernels::capture(device_)) pool_ = std::make_shared<BlockPool>(device_cache(device_));
}

// Cached memory cannot be given back while a step is recorded, so it is given back here; nothing of what was
// recorded has run.
StepCapture::Recording StepCapture::record(const std::function<void()>& body) {
  try {
    return record_once(body);
  } catch (const Error& e) {
    if (e.code() != errors::out_of_device_memory || !device_cache(device_).trim()) throw;
  } catch (const kernels::DeviceMemoryError&) {  // beside tensors: the code of a kernel, met first here
    if (!device_cache(device_).trim()) throw;
  }
  return record_once(body);
}

// A replay writes where the recording allocated, so everything else must allocate elsewhere.
StepCapture::Recording StepCapture::record_once(const std::function<void()>& body) {
  const kernels::Capture& capture = *kernels::capture(device_);
  capture.begin();
  try {
    body();
  } catch (...) {
    capture.abandon();
    throw;
  }
  return {capture.end(), [&capture, pool = pool_](void* recording) { capture.destroy(recording); }};
}

void StepCapture::run(const Tensor& input, int64_t batch_size, const std::function<void()>& body) {
  if (!pool_ || !enabled) return body();
  const PoolScope scope(pool_);
  const auto [at, first] = recordings_.try_emplace({input.raw(), batch_size});
  if (first) return body();
  if (!at->second) at->second = record(body);
  kernels::capture(device_)->replay(at->second.get());
  ++replays_;
}

}  // namespace eb::engine
