#include "tools/bench/call_time.h"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <vector>

#include "engine/ops/recorded_seconds.h"
#include "kernels/device_error.h"
#include "kernels/memory.h"
#include "kernels/sync_launches.h"
#include "tools/bench/bench_clock.h"

namespace eb::tools {

namespace {

using Call = std::function<void()>;

// A group is no longer than that: a recording takes memory and time for each of its calls. A thousand of the
// smallest kernels are milliseconds, of which the clock's ticks are a thousandth.
constexpr int64_t most_recorded = 1000, most_launched = 10'000;

double launched_group(const CallClock& clock, const Call& call, int64_t n) {
  const auto& memory = kernels::memory(clock.device);
  memory.synchronize();
  const double start = clock_seconds(clock.cpu_time);
  for (int64_t i = 0; i < n; ++i) call();
  memory.synchronize();
  return clock_seconds(clock.cpu_time) - start;
}

int64_t calls_of_a_group(const CallClock& clock, const Call& call, int64_t most) {
  launched_group(clock, call, 1);  // first calls choose algorithms
  const double once = std::max(launched_group(clock, call, 2) / 2, 1e-7);
  return std::clamp<int64_t>(static_cast<int64_t>(clock.seconds / once), 1, most);
}

template <class Group>
CallTime median_of_groups(int64_t n, const Group& group) {
  std::vector<double> seconds;
  for (int i = 0; i < 5; ++i) seconds.push_back(group() / static_cast<double>(n));
  std::nth_element(seconds.begin(), seconds.begin() + 2, seconds.end());
  return {.seconds = seconds[2], .calls = n};
}

CallTime time_launches(const CallClock& clock, const Call& call, const std::string& why) {
  const int64_t n = calls_of_a_group(clock, call, most_launched);
  CallTime time = median_of_groups(n, [&] { return launched_group(clock, call, n); });
  time.launched = why;
  return time;
}

}  // namespace

CallTime time_call(const CallClock& clock, const Call& call) {
  const kernels::Capture* capture = kernels::capture(clock.device);
  if (!capture) return time_launches(clock, call, "");
  if (kernels::waits_for_each_launch()) return time_launches(clock, call, "EB_CUDA_SYNC is set");
  const int64_t n = calls_of_a_group(clock, call, most_recorded);
  std::optional<engine::RecordedWork> group;
  try {
    group.emplace(clock.device, *capture, [&] {
      for (int64_t i = 0; i < n; ++i) call();
    });
  } catch (const std::exception& e) {  // nothing has run: if the device is broken, a launch says so
    return time_launches(clock, call, e.what());
  }
  return median_of_groups(n, [&] { return group->seconds(); });
}

CallTimes time_calls(const CallClock& clock, const Call& ours, const Call& theirs) {
  CallTimes times{.ours = time_call(clock, ours)};
  try {
    times.theirs = time_call(clock, theirs);
    if (times.theirs.launched.empty() && !times.ours.launched.empty())
      times.theirs = time_launches(clock, theirs, times.ours.launched);
  } catch (const kernels::DeviceError&) {
    throw;  // after a failed kernel nothing else would run
  } catch (const std::runtime_error& e) {
    times.failure = e.what();
    return times;
  }
  if (times.ours.launched.empty() && !times.theirs.launched.empty())
    times.ours = time_launches(clock, ours, times.theirs.launched);
  return times;
}

}  // namespace eb::tools
