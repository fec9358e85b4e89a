// The int8 convolutions of sm_90a against plain integer sums, bit for bit, on the emulated copy unit and
// warpgroup multiplies.
#define EB_EMULATED 1
#include "emulated/int8_exact.h"
#include "kernels/cuda/conv2d/conv2d_int8.cuh"
#include "support/as_on_hopper.h"

namespace eb::test {
namespace {

using kernels::Conv2d;
using kernels::DType;
using Direction = Conv2d::Direction;
using Path = ConvInt8::Path;

using enum kernels::cuda::ConvTile;

struct HopperCase {
  const char* name;
  kernels::cuda::ConvTile tile;
  Conv2d::Params p;
};

// 128 channels are one chunk, 144 one and a tail.
const HopperCase cases[] = {
    {"pointwise", wgmma_128x64, {.n = 2, .h = 9, .w = 9, .c = 128, .k = 64, .r = 1, .s = 1}},
    {"pointwise_tails", wgmma_256x128, {.n = 1, .h = 11, .w = 13, .c = 144, .k = 144, .r = 1, .s = 1}},
    {"few_channels",
     wgmma_256x64,
     {.n = 3, .h = 7, .w = 5, .c = 16, .k = 32, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
    {"padded_3x3",
     wgmma_256x128,
     {.n = 3, .h = 9, .w = 7, .c = 48, .k = 80, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
    {"two_blocks_a_processor",
     wgmma_128x128,
     {.n = 1, .h = 12, .w = 12, .c = 128, .k = 128, .r = 1, .s = 3, .pad_w = 1}},
    {"unpadded_3x3", wgmma_128x64, {.n = 5, .h = 8, .w = 6, .c = 16, .k = 16, .r = 3, .s = 3}},
    {"pad_beyond_the_window",
     wgmma_256x64,
     {.n = 2, .h = 4, .w = 3, .c = 16, .k = 16, .r = 2, .s = 1, .pad_h = 3, .pad_w = 2}},
    {"strided_3x3",
     wgmma_128x64,
     {.n = 3,
      .h = 9,
      .w = 10,
      .c = 32,
      .k = 80,
      .r = 3,
      .s = 3,
      .stride_h = 2,
      .stride_w = 2,
      .pad_h = 1,
      .pad_w = 1}},
    {"strided_1x1",
     wgmma_128x128,
     {.n = 3, .h = 8, .w = 7, .c = 80, .k = 144, .r = 1, .s = 1, .stride_h = 2, .stride_w = 2}},
};

class Conv2dInt8Hopper : public testing::TestWithParam<std::tuple<HopperCase, DType, TestDevice>> {
 protected:
  const TestDevice& on() const { return std::get<2>(GetParam()); }
  Conv2d::Params params() const {
    Conv2d::Params p = std::get<0>(GetParam()).p;
    p.dtype = std::get<1>(GetParam());
    return p;
  }
  AsOnHopper as_on_hopper;
  kernels::cuda::ForcedTile forced{std::get<0>(GetParam()).tile};
  Conv2d::Params p = params();
  ConvInt8 conv{p};
  ConvInt8Oracle oracle{p};
  int64_t x_size = oracle.sums.x_size(), w_size = oracle.sums.w_size(), y_size = oracle.sums.y_size();
};

TEST_P(Conv2dInt8Hopper, forward_is_the_oracles_bits) {
  const DeviceScope scope(on());
  ASSERT_TRUE(kernels::cuda::int8_hopper_suits(p, Direction::forward, kernels::cuda::device_limits()));
  const Blocks x = Blocks::random(x_size, x_size / p.n, 1), w = Blocks::random(w_size, w_size / p.k, 2, 7);
  for (const Floats& b : {to_floats(normal(p.k, 4)), Floats{}}) {
    const ConvInt8::Output got = conv.forward(Path::integer, x, w, b);
    EXPECT_TRUE(got.y == oracle.forward(x, w, b)) << "y";
    EXPECT_EQ(got.largest, oracle.largest(got.y));
  }
}

TEST_P(Conv2dInt8Hopper, backward_data_is_the_oracles_bits) {
  const DeviceScope scope(on());
  ASSERT_TRUE(kernels::cuda::int8_hopper_suits(p, Direction::backward_data, kernels::cuda::device_limits()));
  const Blocks dy = Blocks::random(y_size, y_size / p.n, 3), w = Blocks::random(w_size, w_size, 2);
  EXPECT_TRUE(conv.backward_data(Path::integer, dy, w) == oracle.backward_data(dy, w));
}

TEST_P(Conv2dInt8Hopper, every_schedule_gives_the_same_bits) {
  const Blocks x = Blocks::random(x_size, x_size / p.n, 1), w = Blocks::random(w_size, w_size, 2);
  expect_same_bits_everywhere(on(), [&] { return conv.forward(Path::integer, x, w, {}); });
}

// In bf16 through the workspace and the bf16 kernels of sm_90a.
TEST_P(Conv2dInt8Hopper, exact_path_sums_the_numbers) {
  const DeviceScope scope(on());
  expect_exact(conv, Blocks::random(x_size, p.c, 1), Blocks::random(w_size, p.c, 2, 5),
               Blocks::random(y_size, p.k, 3));
}

INSTANTIATE_TEST_SUITE_P(All, Conv2dInt8Hopper,
                         testing::Combine(testing::ValuesIn(cases), testing::Values(DType::f32, DType::bf16),
                                          testing::ValuesIn(test_devices())),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) + "_" +
                                  name_of(std::get<1>(info.param)) + "_" + std::get<2>(info.param).name();
                         });

TEST(Conv2dInt8HopperSuits, only_what_the_copy_unit_can_address) {
  const Conv2d::Params fine{.dtype = DType::f32, .n = 1, .h = 4, .w = 4, .c = 128, .k = 128, .r = 1, .s = 1};
  const auto suits = [](const Conv2d::Params& p) {
    return kernels::cuda::int8_hopper_suits(p, Direction::forward, kernels::cuda::device_limits());
  };
  const kernels::cuda::ForcedTile forced(wgmma_128x64);
  EXPECT_FALSE(suits(fine)) << "without wgmma";
  const AsOnHopper as_on_hopper;
  EXPECT_TRUE(suits(fine));
  const auto with = [&](auto change) {
    Conv2d::Params p = fine;
    change(p);
    return suits(p);
  };
  EXPECT_FALSE(with([](auto& p) { p.c = 120; }));
  EXPECT_FALSE(with([](auto& p) { p.k = 120; }));
  EXPECT_FALSE(with([](auto& p) { p.groups = 2; }));
}

}  // namespace
}  // namespace eb::test
