// What is said where a card cannot be used. No card is needed: CUDA's errors are given by name.
#include "kernels/device_problem.h"

#include <gtest/gtest.h>

namespace eb::test {
namespace {

using kernels::FailedStart;
using kernels::why_not_started;

FailedStart failed(std::string_view error) {
  return {.error = error,
          .text = "CUDA's words",
          .driver = 12040,
          .runtime = 13000,
          .card = "NVIDIA L40S",
          .sm = 89,
          .targets = "90a-real;100-virtual"};
}

void expect_in(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << " in: " << text;
}

TEST(DeviceProblem, says_what_to_do) {
  expect_in(why_not_started(failed("cudaErrorInsufficientDriver")),
            {"supports CUDA 12.4", "needs 13.0", "update"});
  expect_in(why_not_started(failed("cudaErrorNoDevice")), {"no card", "CUDA_VISIBLE_DEVICES"});
  expect_in(why_not_started(failed("cudaErrorSystemNotReady")), {"CUDA's words", "nvidia-fabricmanager"});
  expect_in(why_not_started(failed("cudaErrorDevicesUnavailable")),
            {"another process holds the card", "exclusive"});
  FailedStart none = failed("cudaErrorInsufficientDriver");
  none.driver = 0;
  expect_in(why_not_started(none), {"no NVIDIA driver"});
}

TEST(DeviceProblem, names_the_targets_of_the_build_and_the_card) {
  for (const char* error : {"cudaErrorNoKernelImageForDevice", "cudaErrorUnsupportedPtxVersion"})
    expect_in(why_not_started(failed(error)), {"NVIDIA L40S is sm_89", "for sm_90a, compute_100:"});
}

TEST(DeviceProblem, keeps_cudas_own_words_for_all_others) {
  EXPECT_EQ(why_not_started(failed("cudaErrorUnknown")), "CUDA does not start: CUDA's words");
  EXPECT_EQ(kernels::device_hint("cudaErrorIllegalAddress"), "");
}

TEST(DeviceProblem, spells_targets) {
  EXPECT_EQ(kernels::target_names("80-real"), "sm_80");
  EXPECT_EQ(kernels::target_names("80-real;90a-real;100-real;100-virtual"),
            "sm_80, sm_90a, sm_100, compute_100");
  EXPECT_EQ(kernels::target_names(""), "");
}

}  // namespace
}  // namespace eb::test
