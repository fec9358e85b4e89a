// The time of a call in a bench: a group of calls is recorded where it can be, and what cannot be is launched
// and says why.
#include "tools/bench/call_time.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/graph/arch/arch.h"
#include "engine/model/model.h"
#include "kernels/capture_guard.h"
#include "kernels/elementwise.h"
#include "kernels/emulated/strict_memory.h"
#include "kernels/library_error.h"
#include "pruning/compact.h"
#include "pruning/ticket.h"
#include "support/run_engine.h"

namespace eb::test {
namespace {

using engine::DType;
using engine::Tensor;
using kernels::Device;
using tools::CallTime;
using tools::CallTimes;

constexpr Device device = Device::cuda;
constexpr tools::CallClock clock_of_few_calls{.device = device, .seconds = 1e-3};

// y += 1, and how often that was asked for, by calls that were recorded and by others.
struct Counter {
  Tensor y = Tensor::zeros({64}, DType::f32, device), one = Tensor::empty({64}, DType::f32, device);
  int64_t launched = 0, recorded = 0;
  Counter() { kernels::elementwise(device).fill({DType::f32, 64}, 1.f, one.raw()); }
  void count() {
    ++(kernels::capturing ? recorded : launched);
    kernels::elementwise(device).add({DType::f32, 64}, y.raw(), one.raw(), y.raw());
  }
  int64_t done() const {
    std::vector<float> v(64);
    kernels::memory(device).to_host(v.data(), y.raw(), v.size() * sizeof(float));
    return static_cast<int64_t>(v[0]);
  }
};

void refuse_to_be_recorded() {
  if (kernels::capturing) throw kernels::LibraryError("no recording of mine");
}

TEST(CallTime, a_group_is_recorded_once_and_replayed_ten_times) {
  Counter c;
  const CallTime time = tools::time_call(clock_of_few_calls, [&] { c.count(); });
  EXPECT_EQ(time.launched, "");
  EXPECT_GT(time.seconds, 0.);
  EXPECT_GE(time.calls, 1);
  EXPECT_EQ(c.recorded, time.calls);
  EXPECT_EQ(c.launched, 3) << "to find the length of a group";
  EXPECT_EQ(c.done(), 3 + 10 * time.calls) << "five times behind a replay that nobody times";
}

TEST(CallTime, a_call_that_refuses_is_launched_and_says_why) {
  Counter c;
  const CallTime time = tools::time_call(clock_of_few_calls, [&] {
    refuse_to_be_recorded();
    c.count();
  });
  EXPECT_EQ(time.launched, "no recording of mine");
  EXPECT_GT(time.seconds, 0.);
  EXPECT_EQ(c.recorded, 0);
  EXPECT_EQ(c.launched, 6 + 5 * time.calls);
  EXPECT_EQ(c.done(), c.launched);
}

TEST(CallTime, a_recording_without_room_is_launched) {
  Counter c;
  kernels::emulated::set_memory_limit(1);
  const CallTime time = tools::time_call(clock_of_few_calls, [&] { c.count(); });
  kernels::emulated::set_memory_limit(0);
  EXPECT_NE(time.launched.find("no room"), std::string::npos) << time.launched;
  EXPECT_EQ(c.done(), c.launched);
}

TEST(CallTime, both_sides_of_a_ratio_are_timed_in_the_same_way) {
  Counter well, stubborn;
  const auto records = [&] { well.count(); };
  const auto refuses = [&] {
    refuse_to_be_recorded();
    stubborn.count();
  };
  const CallTimes neither_way[] = {tools::time_calls(clock_of_few_calls, records, refuses),
                                   tools::time_calls(clock_of_few_calls, refuses, records)};
  for (const CallTimes& times : neither_way) {
    EXPECT_EQ(times.failure, "");
    EXPECT_EQ(times.ours.launched, "no recording of mine");
    EXPECT_EQ(times.theirs.launched, "no recording of mine");
  }
  const CallTimes both = tools::time_calls(clock_of_few_calls, records, records);
  EXPECT_EQ(both.ours.launched + both.theirs.launched + both.failure, "");
}

TEST(CallTime, a_compaction_is_launched_since_it_sends_lists_of_the_host) {
  const engine::Model model(engine::build_arch("vgg", {.depth = 11, .width = 0.05}), DType::f32, device);
  const auto closed = pruning::close_ticket(pruning::random_ticket(model.graph(), 0.5, 1), model, {});
  const CallTime time = tools::time_call({.device = device, .seconds = 1e-6}, [&] {
    pruning::compact(model, closed.ticket, pruning::MomentumRule::carry);
  });
  EXPECT_NE(time.launched.find("while a sequence of launches is recorded"), std::string::npos)
      << time.launched;
  EXPECT_GT(time.seconds, 0.);
}

TEST(CallTime, a_row_of_the_bench_is_of_recorded_calls) {
  const Outcome o = run_engine({"bench", "kernels", "--device", "cuda", "--dtype", "f32", "--filter",
                                "^(linear_forward n2 157|topk_mask vgg16 .*exact)", "--batch-cifar", "2",
                                "--seconds", "0.0001", "--ceilings", "none", "--json"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  const auto rows = nlohmann::json::parse(o.out)["rows"];
  ASSERT_EQ(rows.size(), 2u) << rows;
  for (const auto& row : rows) {
    EXPECT_GT(row.value("us", 0.), 0) << row;
    EXPECT_FALSE(row.contains("launched")) << row;
  }
}

TEST(CallTime, a_row_says_why_its_calls_were_launched) {
  const Outcome o = run_engine(
      {"bench", "kernels", "--device", "cuda", "--dtype", "f32", "--filter", "^linear_forward n2 157",
       "--batch-cifar", "2", "--seconds", "0.0001", "--ceilings", "none"},
      {.env = {"EB_CUDA_SYNC=1"}});
  EXPECT_EQ(o.exit_code, 0) << o.err;
  EXPECT_NE(o.out.find("launched one by one: EB_CUDA_SYNC is set"), std::string::npos) << o.out;
}

}  // namespace
}  // namespace eb::test
