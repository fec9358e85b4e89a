// The time of a call in a bench, where nothing is recorded.
#include "tools/bench/call_time.h"

#include <gtest/gtest.h>

#include "kernels/device_error.h"
#include "kernels/library_error.h"

namespace eb::tools {
namespace {

constexpr CallClock short_groups{.seconds = 1e-4};

TEST(CallTime, is_of_launches_without_a_reason_where_nothing_is_recorded) {
  int64_t calls = 0;
  const CallTime time = time_call(short_groups, [&] { ++calls; });
  EXPECT_EQ(time.launched, "") << "a call costs nothing there";
  EXPECT_EQ(calls, 3 + 5 * time.calls);
  EXPECT_LE(time.calls, 10'000);
}

TEST(CallTime, a_library_that_fails_leaves_our_time) {
  const CallTimes times = time_calls(
      short_groups, [] {}, [] { throw kernels::LibraryError("no algorithm"); });
  EXPECT_EQ(times.failure, "no algorithm");
  EXPECT_GT(times.ours.seconds, 0.);
  EXPECT_EQ(times.theirs.calls, 0);
}

TEST(CallTime, our_own_failure_and_that_of_the_device_are_failures) {
  const auto fails = [] { throw std::runtime_error("a bug"); };
  const auto broken = [] { throw kernels::DeviceError("[add] failed", false); };
  EXPECT_THROW(time_calls(short_groups, fails, [] {}), std::runtime_error);
  EXPECT_THROW(time_calls(
                   short_groups, [] {}, broken),
               kernels::DeviceError);
}

}  // namespace
}  // namespace eb::tools
