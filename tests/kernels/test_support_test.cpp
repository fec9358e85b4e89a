// The tests' own tools: how a failure is told.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "support/devices.h"
#include "support/oracle_conv.h"

namespace eb::test {
namespace {

TEST(TestSupport, an_error_found_by_a_destructor_fails_the_test_and_ends_nothing) {
  EXPECT_NONFATAL_FAILURE(
      or_fail("bring the results back", [] { throw std::runtime_error("illegal address"); }),
      "bring the results back: illegal address");
  or_fail("nothing", [] {});
}

TEST(TestSupport, sums_that_are_off_are_counted_and_the_worst_is_named) {
  const Doubles want = {1, 1, 1, 1}, scale = {0, 0, 0, 0};
  EXPECT_NONFATAL_FAILURE(expect_sum({1, 1.5, 1.25, 1}, want, scale, 0.125, "y"),
                          "y: 2 of 4 are too far off, the worst by 4 of what is allowed: [1] is 1.5, want 1");
  EXPECT_NONFATAL_FAILURE(expect_sum({1, 1, 1, NAN}, want, scale, 0.125, "y"), "[3] is nan");
  expect_sum({1.125, 0.875, 1, 1}, want, scale, 0.125, "y");
}

}  // namespace
}  // namespace eb::test
