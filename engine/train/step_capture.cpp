#include "engine/train/step_capture.h"

#include "kernels/capture.h"

namespace eb::engine {

StepCapture::StepCapture(Device device) : device_(device) {
  reset();
}

// The pool goes with the last recording and block that came from it.
void StepCapture::reset() {
  recordings_.clear();
  if (kernels::capture(device_)) pool_ = std::make_shared<BlockPool>(device_cache(device_));
}

// A replay writes where the recording allocated, so everything else must allocate elsewhere.
StepCapture::Recording StepCapture::record(const std::function<void()>& body) {
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

void StepCapture::run(const Tensor& input, const std::function<void()>& body) {
  if (!pool_ || !enabled) return body();
  const PoolScope scope(pool_);
  const auto [at, first] = recordings_.try_emplace({input.raw(), input.dim(0)});
  if (first) return body();
  if (!at->second) at->second = record(body);
  kernels::capture(device_)->replay(at->second.get());
  ++replays_;
}

}  // namespace eb::engine
