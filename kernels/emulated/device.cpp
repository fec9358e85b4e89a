// What the runtime says of a card, said of the emulated one.
#include <chrono>
#include <utility>

#include "kernels/card_energy.h"
#include "kernels/device_info.h"
#include "kernels/emulated/device_limits.h"
#include "kernels/emulated/grid.h"
#include "kernels/emulated/queues.h"
#include "kernels/stopwatch.h"

namespace eb::kernels::emulated {

static cuda::DeviceLimits limits;

LimitsScope::LimitsScope(const cuda::DeviceLimits& others) : before_(std::exchange(limits, others)) {}
LimitsScope::~LimitsScope() {
  limits = before_;
}

}  // namespace eb::kernels::emulated

namespace eb::kernels::cuda {

const DeviceLimits& device_limits() {
  return emulated::limits;
}

static double time(const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  emulated::refuse_while_recording("stopwatch");
  emulated::finish_queues();
  const auto start = Clock::now();
  work();
  emulated::finish_queues();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

const Stopwatch stopwatch{.time = time};

std::optional<double> card_joules() {
  return std::nullopt;  // the CPU's energy is counted as such
}

DeviceInfo device_info() {
  return {.name = "emulated"};
}

}  // namespace eb::kernels::cuda
