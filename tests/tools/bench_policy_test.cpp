// What the policy chooses for the four networks on an H200, and that docs/launch_policy.md says so.
#include "tools/bench/bench_policy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "kernels/cuda/policy/conv2d_policy.h"
#include "support/paths.h"
#include "tools/bench/bench_cases.h"

namespace eb::tools {
namespace {

using kernels::Conv2d;
using kernels::cuda::ConvTile;
using Direction = Conv2d::Direction;

const kernels::cuda::DeviceLimits h200{.wgmma = true};

TEST(BenchPolicy, most_multiplications_are_on_wgmma) {
  for (const Direction d : directions) {
    EXPECT_GE(wgmma_share("vgg16", 128, d, h200), 0.90);
    EXPECT_GE(wgmma_share("resnet50", 128, d, h200), 0.95);
  }
  EXPECT_EQ(wgmma_share("resnet50", 128, {.wgmma = false}), 0) << "nothing is where there is none";
}

// A launch whose last turn leaves most of the card idle takes nearly two turns' time for one turn's work.
// Where the tiles alone are more than the card holds, slices may cost more than they save.
TEST(BenchPolicy, sliced_weight_gradients_fill_their_last_turn) {
  int sliced = 0;
  for (const NamedConv& conv : network_convs("vgg16", 0, 256, kernels::DType::bf16)) {
    const auto l = kernels::cuda::wgmma_weight_launch(conv.p, h200);
    if (conv.p.c == 3 || l.slices == 1) continue;
    const double turns = static_cast<double>(l.blocks) / 132;
    EXPECT_GE(turns / std::ceil(turns), 0.8) << conv.name << ": " << l.blocks << " blocks";
    ++sliced;
  }
  EXPECT_GE(sliced, 5);
}

TEST(BenchPolicy, tiles_follow_waves_and_the_length_of_the_reduction) {
  const auto tile = [](const Conv2d::Params& p) {
    return kernels::cuda::predict(p, Direction::forward, h200).tile;
  };
  Conv2d::Params p{
      .dtype = kernels::DType::bf16, .n = 256, .h = 4, .w = 4, .c = 512, .k = 512, .r = 3, .s = 3};
  p.pad_h = p.pad_w = 1;
  EXPECT_TRUE(kernels::cuda::facts_of(tile(p)).wgmma) << "128 tiles of 128 x 128 on 132 SMs";
  p = {.dtype = p.dtype, .n = 256, .h = 56, .w = 56, .c = 64, .k = 256, .r = 1, .s = 1};
  EXPECT_EQ(tile(p), ConvTile::wgmma_128x128) << "one chunk: the ends of a block must hide behind another";
  p = {.dtype = p.dtype, .n = 1, .h = 4, .w = 4, .c = 8, .k = 8, .r = 1, .s = 1};
  EXPECT_EQ(tile(p), ConvTile::mma_64x64);
}

TEST(BenchPolicy, small_maps_are_sliced) {
  Conv2d::Params p{
      .dtype = kernels::DType::bf16, .n = 64, .h = 2, .w = 2, .c = 512, .k = 512, .r = 3, .s = 3};
  p.pad_h = p.pad_w = 1;
  EXPECT_GT(kernels::cuda::predict(p, Direction::forward, h200).slices, 1);
  p.n = 1 << 14;
  EXPECT_EQ(kernels::cuda::predict(p, Direction::forward, h200).slices, 1);
}

TEST(BenchPolicy, tables_are_up_to_date) {
  std::ifstream in(eb::test::source_dir().string() + "/docs/launch_policy.md");
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), policy_tables(h200)) << "run: build/eb_engine bench policy > docs/launch_policy.md";
}

}  // namespace
}  // namespace eb::tools
