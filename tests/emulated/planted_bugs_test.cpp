// Proof that the emulated device sees the mistakes it exists for.
#include "emulated/planted_bugs.h"

#include <gtest/gtest.h>

#include <memory>

#include "kernels/emulated/block.h"
#include "kernels/memory.h"
#include "support/devices.h"

namespace eb::test {
namespace {

using kernels::Device;
using kernels::cuda::Bug;
using kernels::emulated::EmulationError;

constexpr uint64_t schedules = 8;

std::vector<float> input() {
  std::vector<float> x(kernels::cuda::planted_input_size());
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 37 % 101);
  return x;
}

std::vector<float> run(Bug bug, uint64_t schedule) {
  const DeviceScope scope({Device::cuda, schedule});
  const OnDevice x(Device::cuda, input());
  std::vector<float> result(kernels::cuda::planted_output_size(), -1.f);
  const OnDevice y(Device::cuda, result);
  kernels::cuda::run_planted(bug, x.as<float>(), y.as<float>());
  y.fetch(result);
  return result;
}

std::vector<float> expected() {
  const auto x = input();
  const int n = kernels::cuda::planted_output_size();
  std::vector<float> y(n, 0.f);
  for (size_t i = 0; i < x.size(); ++i) y[n - 1 - i % n] += x[i];
  return y;
}

TEST(PlantedBugs, correct_kernel_is_right_under_every_schedule) {
  for (uint64_t s = 0; s < schedules; ++s) EXPECT_EQ(run(Bug::none, s), expected()) << "schedule " << s;
}

class WrongNumbers : public testing::TestWithParam<Bug> {};

TEST_P(WrongNumbers, seen_under_some_schedule) {
  int seen = 0;
  for (uint64_t s = 0; s < schedules; ++s) seen += run(GetParam(), s) != expected();
  EXPECT_GT(seen, 0);
}

INSTANTIATE_TEST_SUITE_P(All, WrongNumbers,
                         testing::Values(Bug::missing_wait, Bug::missing_commit,
                                         Bug::missing_barrier_after_wait, Bug::missing_barrier_before_copy));

struct Reported {
  Bug bug;
  const char* says;  // part of the message
};

class Misuse : public testing::TestWithParam<Reported> {};

TEST_P(Misuse, is_an_error_under_every_schedule) {
  for (uint64_t s = 0; s < schedules; ++s) {
    try {
      run(GetParam().bug, s);
      ADD_FAILURE() << "schedule " << s << ": nothing was reported";
    } catch (const EmulationError& e) {
      const std::string what = e.what();
      EXPECT_NE(what.find(GetParam().says), std::string::npos) << what;
      EXPECT_NE(what.find("[misuse]"), std::string::npos) << what;
      EXPECT_NE(what.find("planted_bugs.cpp:"), std::string::npos) << what;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Misuse,
    testing::Values(Reported{Bug::divergent_barrier, "diverges"},
                    Reported{Bug::barrier_in_a_branch, "diverges"},
                    Reported{Bug::shuffle_mask_leaves_out_caller, "leaves out the calling thread"},
                    Reported{Bug::shuffle_from_absent_lane, "outside the mask"},
                    Reported{Bug::shuffle_under_divergence, "deadlock"},
                    Reported{Bug::different_collectives, "meets lanes"},
                    Reported{Bug::misaligned_copy, "not a multiple of 16"},
                    Reported{Bug::copy_outside_shared, "outside the block's shared memory"}));

TEST(PlantedBugs, uninitialised_shared_memory_reads_as_nan) {
  for (const float v : run(Bug::uninitialised_shared, 0)) EXPECT_TRUE(std::isnan(v));
}

TEST(PlantedBugs, unwritten_output_reads_as_nan) {
  const auto& memory = kernels::memory(Device::cuda);
  float value = 0;
  void* block = memory.allocate(sizeof value);
  memory.to_host(&value, block, sizeof value);
  memory.release(block);
  EXPECT_TRUE(std::isnan(value));
}

#if defined(__SANITIZE_ADDRESS__)
TEST(PlantedBugsDeathTest, address_sanitizer_sees_shared_and_global_overruns) {
  EXPECT_DEATH(run(Bug::shared_out_of_bounds, 0), "out of bounds|overflow");
  EXPECT_DEATH(run(Bug::global_out_of_bounds, 0), "out of bounds|overflow");
}
#endif

}  // namespace
}  // namespace eb::test
