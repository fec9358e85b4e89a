// Proof that mistakes with mbarriers, bulk copies and wgmma are seen: one ring of two stages between a
// copying thread and a warpgroup, correct and with one mistake each.
#define EB_EMULATED 1
#include "kernels/cuda/gemm/hopper.cuh"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/memory.h"
#include "support/devices.h"

namespace eb::kernels::cuda {
namespace {

using test::OnDevice;

enum class Slip : int {
  none,
  // Wrong numbers or an error under at least one schedule.
  no_wait_for_full,
  no_wait_for_empty,
  released_before_the_multiply,
  no_barrier_after_init,
  too_few_bytes,
  // Under every schedule.
  too_many_bytes,
  results_before_wait,
  no_fence,
  accumulators_written,
  warps_disagree,
  never_waited_for,
  barrier_overwritten,
  one_arrival_too_many,
};

constexpr int stages = 2, chunks = 6, side = 64;

struct alignas(1024) Ring {
  bf16 a[stages][side * side], b[stages][side * side];
  Mbarrier full[stages], empty[stages];
};

template <Slip slip>
void produce(Ring& s, const TensorMap& a, const TensorMap& b) {
  for (int chunk = 0; chunk < chunks; ++chunk) {
    const int stage = chunk % stages;
    if constexpr (slip != Slip::no_wait_for_empty) wait(s.empty[stage], chunk / stages % 2 ^ 1);
    constexpr int wrong = slip == Slip::too_few_bytes ? -128 : slip == Slip::too_many_bytes ? 128 : 0;
    arrive_expecting(s.full[stage], sizeof s.a[0] + sizeof s.b[0] + wrong);
    if constexpr (slip == Slip::one_arrival_too_many) arrive(s.full[stage]);
    copy_box(s.a[stage], a, s.full[stage], chunk * side, 0, 0);
    copy_box(s.b[stage], b, s.full[stage], chunk * side, 0, 0);
  }
}

template <Slip slip>
void consume(float (&d)[side / 2], Ring& s) {
  const bool first_lane = threadIdx.x % warp_size == 0;
  for (int chunk = 0; chunk < chunks; ++chunk) {
    const int stage = chunk % stages;
    if constexpr (slip != Slip::no_wait_for_full) wait(s.full[stage], chunk / stages % 2);
    uint64_t a = operand_descriptor(shared_address(s.a[stage]), 16);
    const uint64_t b = operand_descriptor(shared_address(s.b[stage]), 16);
    if constexpr (slip == Slip::warps_disagree) a += threadIdx.x / warp_size == 3 ? next_k<false> : 0;
    if constexpr (slip != Slip::no_fence) wgmma_fence();
    for (int k = 0; k < 4; ++k) wgmma<false, false>(d, a + k * next_k<false>, b + k * next_k<false>);
    wgmma_commit();
    if constexpr (slip == Slip::released_before_the_multiply)
      if (first_lane) arrive(s.empty[stage]);
    if constexpr (slip == Slip::accumulators_written) d[0] = 0.f;
    if constexpr (slip == Slip::results_before_wait || slip == Slip::never_waited_for) {
      if (chunk == chunks - 1) return;
    }
    wgmma_finish(d);
    if constexpr (slip != Slip::released_before_the_multiply)
      if (first_lane) arrive(s.empty[stage]);
  }
}

template <Slip slip>
void ring_kernel(TensorMap a, TensorMap b, float* out) {
  auto& s = shared<Ring>();
  if (threadIdx.x == 0) {
    for (int i = 0; i < stages; ++i) {
      barrier_init(s.full[i], 1);
      barrier_init(s.empty[i], warpgroup_size / warp_size);
    }
    fence_barrier_init();
    if constexpr (slip == Slip::barrier_overwritten) s.full[0].state = 0;
  }
  if constexpr (slip != Slip::no_barrier_after_init) sync_threads();
  if (threadIdx.x >= warpgroup_size) {
    if (threadIdx.x == warpgroup_size) produce<slip>(s, a, b);
    return;
  }
  float d[side / 2] = {};
  consume<slip>(d, s);
  for (int i = 0; i < side / 2; ++i) out[threadIdx.x * (side / 2) + i] = d[i];
  if constexpr (slip == Slip::results_before_wait) wgmma_finish(d);
}

// What the kernel computes under a schedule, or the error's text.
struct Outcome {
  std::vector<float> out;
  std::string error;
  bool operator==(const Outcome&) const = default;
};

template <Slip slip>
Outcome run(uint64_t schedule) {
  const test::DeviceScope scope({Device::cuda, schedule});
  std::vector<bf16> in(side * side * chunks);
  for (size_t i = 0; i < in.size(); ++i) in[i] = bf16(static_cast<float>(i * 37 % 11));
  const OnDevice there(Device::cuda, in);
  Outcome result{std::vector<float>(warpgroup_size * side / 2, -1.f), ""};
  const OnDevice out(Device::cuda, result.out);
  const TensorMap map = tensor_map(BoxTensor{there.get(), {side * chunks, 1, side}, {side, 1, side}});
  try {
    launch({"ring", 1, warpgroup_size + warp_size, sizeof(Ring)}, ring_kernel<slip>, map, map,
           out.as<float>());
  } catch (const EmulationError& e) {
    result.error = e.what();
  }
  out.fetch(result.out);
  return result;
}

constexpr uint64_t schedules = 12;

template <Slip slip>
int times_seen() {
  int seen = 0;
  for (uint64_t s = 0; s < schedules; ++s) {
    const Outcome o = run<slip>(s);
    seen += !o.error.empty() || o.out != run<Slip::none>(0).out;
  }
  return seen;
}

template <Slip slip>
void expect_error(const std::string& says) {
  for (uint64_t s = 0; s < schedules; ++s) {
    const std::string error = run<slip>(s).error;
    EXPECT_NE(error.find(says), std::string::npos) << "schedule " << s << ": " << error;
    EXPECT_NE(error.find("[ring]"), std::string::npos) << error;
  }
}

TEST(HopperBugs, correct_ring_is_right_under_every_schedule) {
  const Outcome first = run<Slip::none>(0);
  EXPECT_EQ(first.error, "");
  EXPECT_GT(first.out[0], 0.f);
  for (uint64_t s = 1; s < schedules; ++s) EXPECT_TRUE(run<Slip::none>(s) == first) << "schedule " << s;
}

TEST(HopperBugs, missing_waits_are_seen_under_some_schedule) {
  EXPECT_GT(times_seen<Slip::no_wait_for_full>(), 0);
  EXPECT_GT(times_seen<Slip::no_wait_for_empty>(), 0);
  EXPECT_GT(times_seen<Slip::released_before_the_multiply>(), 0);
  EXPECT_GT(times_seen<Slip::no_barrier_after_init>(), 0);
  EXPECT_GT(times_seen<Slip::too_few_bytes>(), 0);
}

TEST(HopperBugs, misuse_is_an_error_under_every_schedule) {
  expect_error<Slip::too_many_bytes>("lacks 0 arrivals and 128 bytes");
  expect_error<Slip::no_fence>("lacks a fence");
  expect_error<Slip::accumulators_written>("while a wgmma was under way");
  expect_error<Slip::warps_disagree>("warps issue different wgmma");
  expect_error<Slip::never_waited_for>("before a wgmma is waited for");
  expect_error<Slip::barrier_overwritten>("bytes were overwritten");
  expect_error<Slip::one_arrival_too_many>("one arrival more");
}

TEST(HopperBugs, results_read_before_the_wait_are_nan) {
  for (uint64_t s = 0; s < schedules; ++s)
    for (const float v : run<Slip::results_before_wait>(s).out)
      ASSERT_TRUE(std::isnan(v)) << "schedule " << s;
}

}  // namespace
}  // namespace eb::kernels::cuda
