// Which of cuDNN's algorithms runs, without a card: a cuDNN that the test scripts.
#include "kernels/cuda/library/cudnn_plan.h"

#include <gtest/gtest.h>

#include <new>
#include <utility>

#include "cuda/fakes/cudnn.h"
#include "kernels/room.h"
#include "support/paths.h"

namespace eb::test {
namespace {

using kernels::Conv2d;
using kernels::LibraryError;
using kernels::cuda::Cudnn;
using kernels::cuda::CudnnPlan;
using kernels::cuda::Owned;
using kernels::cuda::Search;
using Direction = Conv2d::Direction;

constexpr Direction directions[] = {Direction::forward, Direction::backward_data, Direction::backward_weight};
constexpr Conv2d::Params bf16{
    .dtype = kernels::DType::bf16, .n = 2, .h = 5, .w = 5, .c = 8, .k = 8, .r = 3, .s = 3};
constexpr Conv2d::Params f32{.n = 2, .h = 5, .w = 5, .c = 8, .k = 8, .r = 3, .s = 3};

class CudnnPlanTest : public testing::TestWithParam<Direction> {
 protected:
  CudnnPlanTest() { fake = {}; }
  CudnnPlan plan(const Conv2d::Params& p, Search how = Search::rules) {
    return {api, handle.get(), p, GetParam(), how};
  }
  std::string refusal(const Conv2d::Params& p) {
    try {
      plan(p);
    } catch (const LibraryError& e) {
      return e.what();
    }
    return "";
  }
  void run(CudnnPlan& plan) {
    plan.run(handle.get(), {&first, &second, &result, &workspace}, kernels::memory(kernels::Device::cpu));
  }

  Cudnn api{{(binary_dir() / "fakes/libcudnn.so.9").string()}};
  FakeCudnn& fake = *api.library.function<FakeCudnn* (*)()>("fake_cudnn")();
  Owned<cudnnHandle_t> handle{api, api.cudnnCreate, api.cudnnDestroy};
  float first = 0, second = 0, result = 0, workspace = 0;
};

TEST_P(CudnnPlanTest, the_pair_that_was_found_is_the_pair_that_runs) {
  fake.results = {{.algorithm = 1, .math = CUDNN_DEFAULT_MATH}, {.algorithm = 1}};
  fake.workspace = {{{1, CUDNN_DEFAULT_MATH}, 640}, {{1, CUDNN_TENSOR_OP_MATH}, 64}};
  CudnnPlan p = plan(bf16);
  EXPECT_EQ(p.workspace(), 640u);
  run(p);
  ASSERT_EQ(fake.calls.size(), 1u);
  const auto& call = fake.calls[0];
  EXPECT_EQ(static_cast<int>(call.direction), static_cast<int>(GetParam()));
  EXPECT_EQ(call.pair, FakeCudnn::Pair(1, CUDNN_DEFAULT_MATH));
  EXPECT_EQ(call.bytes, 640u);
  EXPECT_EQ(call.first, &first);
  EXPECT_EQ(call.second, &second);
  EXPECT_EQ(call.result, &result);
  EXPECT_EQ(call.workspace, &workspace);
}

TEST_P(CudnnPlanTest, exact_f32_takes_fma_alone) {
  fake.results = {{.algorithm = 1, .math = CUDNN_DEFAULT_MATH},
                  {.algorithm = 2, .math = CUDNN_TENSOR_OP_MATH},
                  {.algorithm = 1, .math = CUDNN_FMA_MATH}};
  CudnnPlan exact = plan(f32);
  run(exact);
  EXPECT_EQ(fake.asked_math.back(), CUDNN_FMA_MATH);
  EXPECT_EQ(fake.calls.back().pair, FakeCudnn::Pair(1, CUDNN_FMA_MATH));
  Conv2d::Params tf32 = f32;
  tf32.tf32 = true;
  CudnnPlan rounded = plan(tf32);
  run(rounded);
  EXPECT_EQ(fake.asked_math.back(), CUDNN_TENSOR_OP_MATH);
  EXPECT_EQ(fake.calls.back().pair, FakeCudnn::Pair(1, CUDNN_DEFAULT_MATH));
  fake.results.pop_back();
  EXPECT_NE(refusal(f32).find("not as exact"), std::string::npos) << refusal(f32);
}

TEST_P(CudnnPlanTest, values_are_not_converted_to_another_type) {
  fake.results = {{.algorithm = 1, .math = CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION}, {.algorithm = 0}};
  CudnnPlan p = plan(bf16);
  run(p);
  EXPECT_EQ(fake.calls[0].pair, FakeCudnn::Pair(0, CUDNN_TENSOR_OP_MATH));
}

TEST_P(CudnnPlanTest, every_result_is_read) {
  fake.most_results = 12;
  fake.results.assign(11, {.algorithm = 3, .determinism = CUDNN_NON_DETERMINISTIC});
  fake.results.push_back({.algorithm = 1});
  CudnnPlan p = plan(bf16);
  run(p);
  EXPECT_EQ(fake.calls[0].pair.first, 1);
}

TEST_P(CudnnPlanTest, a_search_by_rules_or_by_measuring) {
  fake.results = {{.algorithm = 1}};
  plan(bf16);
  EXPECT_EQ(std::pair(fake.by_rules, fake.measured), std::pair(1, 0));
  plan(bf16, Search::measured);
  EXPECT_EQ(std::pair(fake.by_rules, fake.measured), std::pair(1, 1));
}

TEST_P(CudnnPlanTest, what_fails_gives_way_to_the_next) {
  fake.results = {{.algorithm = 0, .status = CUDNN_STATUS_NOT_SUPPORTED},
                  {.algorithm = 1},
                  {.algorithm = 2},
                  {.algorithm = 3}};
  fake.without_workspace = {{1, CUDNN_TENSOR_OP_MATH}};
  fake.fails = {{2, CUDNN_TENSOR_OP_MATH}};
  CudnnPlan p = plan(bf16);
  for (int i = 0; i < 2; ++i) run(p);
  ASSERT_EQ(fake.calls.size(), 3u);
  EXPECT_EQ(fake.calls[0].pair.first, 2);
  EXPECT_EQ(fake.calls[1].pair.first, 3);
  EXPECT_EQ(fake.calls[2].pair.first, 3) << "what failed once is not tried again";
}

// Callers asked for the workspace before the first call.
TEST_P(CudnnPlanTest, the_next_brings_its_own_memory_if_it_wants_more) {
  fake.results = {{.algorithm = 1}, {.algorithm = 2}, {.algorithm = 3}};
  fake.workspace = {{{1, CUDNN_TENSOR_OP_MATH}, 64}, {{2, CUDNN_TENSOR_OP_MATH}, 4096}};
  fake.fails = {{1, CUDNN_TENSOR_OP_MATH}};
  CudnnPlan p = plan(bf16);
  EXPECT_EQ(p.workspace(), 64u);
  run(p);
  EXPECT_EQ(p.workspace(), 64u);
  EXPECT_EQ(fake.calls[0].workspace, &workspace);
  EXPECT_EQ(fake.calls[1].bytes, 4096u);
  EXPECT_NE(fake.calls[1].workspace, &workspace);
  run(p);
  EXPECT_EQ(fake.calls[2].workspace, fake.calls[1].workspace) << "allocated once";
  fake.fails.insert({2, CUDNN_TENSOR_OP_MATH});
  run(p);
  EXPECT_EQ(fake.calls[4].pair.first, 3);
  EXPECT_EQ(fake.calls[4].bytes, 0u);
  EXPECT_EQ(fake.calls[4].workspace, &workspace);
}

// A recording that is spoiled makes every call fail, which says nothing of the algorithms.
TEST_P(CudnnPlanTest, a_failure_while_recording_drops_no_algorithm) {
  fake.results = {{.algorithm = 1}, {.algorithm = 2}};
  fake.fails = {{1, CUDNN_TENSOR_OP_MATH}, {2, CUDNN_TENSOR_OP_MATH}};
  CudnnPlan p = plan(bf16);
  kernels::capturing = true;
  for (int i = 0; i < 2; ++i) EXPECT_THROW(run(p), LibraryError);
  kernels::capturing = false;
  EXPECT_EQ(fake.calls.size(), 2u) << "the first algorithm, each time";
  fake.fails = {};
  run(p);
  EXPECT_EQ(fake.calls.back().pair.first, 1);
}

// Memory with room for so many bytes; what was kept is given back at most once.
size_t room = 0, kept = 0;
const kernels::Memory small_memory{.allocate = [](size_t bytes) -> void* {
                                     if (bytes > room) throw std::bad_alloc();
                                     return ::operator new(bytes);
                                   },
                                   .release = [](void* block) { ::operator delete(block); }};

TEST_P(CudnnPlanTest, kept_memory_makes_room_for_its_own) {
  fake.results = {{.algorithm = 1}, {.algorithm = 2}};
  fake.workspace = {{{2, CUDNN_TENSOR_OP_MATH}, 4096}};
  fake.fails = {{1, CUDNN_TENSOR_OP_MATH}};
  const auto before = kernels::give_back_kept.load();
  kernels::give_back_kept = [] { return room += kept, std::exchange(kept, 0) > 0; };
  const auto run_small = [&](CudnnPlan& p) {
    p.run(handle.get(), {&first, &second, &result, &workspace}, small_memory);
  };
  room = 96, kept = 4000;
  CudnnPlan fits = plan(bf16);
  EXPECT_NO_THROW(run_small(fits));
  EXPECT_EQ(fake.calls.back().bytes, 4096u);
  room = 95, kept = 4000;
  CudnnPlan full = plan(bf16);
  EXPECT_THROW(run_small(full), kernels::DeviceMemoryError);
  kernels::give_back_kept = before;
}

TEST_P(CudnnPlanTest, none_left_names_every_reason) {
  fake.results = {{.algorithm = 0, .status = CUDNN_STATUS_NOT_SUPPORTED},
                  {.algorithm = 3, .determinism = CUDNN_NON_DETERMINISTIC}};
  const std::string why = refusal(bf16);
  for (const char* part : {"algorithm 0 of math type 1: CUDNN_STATUS_NOT_SUPPORTED",
                           "algorithm 3 of math type 1: not deterministic"})
    EXPECT_NE(why.find(part), std::string::npos) << why;
  fake.results = {{.algorithm = 1}};
  fake.fails = {{1, CUDNN_TENSOR_OP_MATH}};
  CudnnPlan p = plan(bf16);
  for (int i = 0; i < 2; ++i) EXPECT_THROW(run(p), LibraryError);
  EXPECT_EQ(fake.calls.size(), 1u);
  fake.results = {};
  EXPECT_NE(refusal(bf16).find("it named none"), std::string::npos) << refusal(bf16);
}

TEST_P(CudnnPlanTest, descriptors_go_with_the_plan) {
  const int before = fake.alive;
  fake.results = {{.algorithm = 1}};
  {
    const CudnnPlan p = plan(bf16);
    EXPECT_EQ(fake.alive, before + 4);
  }
  fake.results = {};
  refusal(bf16);
  EXPECT_EQ(fake.alive, before);
}

std::string name_of(const testing::TestParamInfo<Direction>& info) {
  constexpr const char* names[] = {"forward", "backward_data", "backward_weight"};
  return names[static_cast<int>(info.param)];
}
INSTANTIATE_TEST_SUITE_P(All, CudnnPlanTest, testing::ValuesIn(directions), name_of);

}  // namespace
}  // namespace eb::test
