#include "kernels/stopwatch.h"

#include <stdexcept>

#include "kernels/cuda/platform/runtime.h"

namespace eb::kernels::cuda {

namespace {

class Event {
 public:
  Event() { check(cudaEventCreate(&event_), "event"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record() { check(cudaEventRecord(event_, stream()), "event"); }
  void wait() { check(cudaEventSynchronize(event_), "event"); }
  double seconds_since(const Event& start) const {
    float ms = 0;
    check(cudaEventElapsedTime(&ms, start.event_, event_), "event");
    return 1e-3 * ms;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

double time(const std::function<void()>& work) {
  cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
  check(cudaStreamIsCapturing(stream(), &capture), "stopwatch");
  if (capture != cudaStreamCaptureStatusNone)
    throw std::logic_error("[stopwatch] a measurement inside a graph capture");
  Event start, end;
  start.record();
  work();
  end.record();
  end.wait();
  return end.seconds_since(start);
}

}  // namespace

const Stopwatch stopwatch{.time = time};

}  // namespace eb::kernels::cuda
