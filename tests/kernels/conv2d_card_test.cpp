// Every convolution kernel of a card against the oracle, each tile forced at shapes that the oracle can
// afford: what a card chooses by itself needs shapes that are too much for most of these. The emulated device
// has its own cases (tests/emulated).
#include <algorithm>

#include "kernels/conv2d.h"
#include "kernels/cuda/policy/conv2d_policy.h"
#include "kernels/device_info.h"
#include "support/conv_int8_calls.h"
#include "support/oracle_batch_norm.h"
#include "support/oracle_conv.h"

namespace eb::test {
namespace {

using kernels::Conv2d;
using kernels::Device;
using kernels::DType;
using kernels::cuda::ConvTile;
using Direction = Conv2d::Direction;
using enum kernels::cuda::ConvTile;

struct Shape {
  const char* name;
  Conv2d::Params p;
  int64_t slices = 1;
};

// 17 x 17 pixels are more than one tile; 192 channels end in the middle of a tile of 128, whose second box
// starts outside the tensor; 80 channels are a stage and a quarter.
const Shape shapes[] = {
    {"pointwise", {.n = 3, .h = 17, .w = 17, .c = 64, .k = 256, .r = 1, .s = 1}},
    {"padded_3x3", {.n = 3, .h = 17, .w = 11, .c = 80, .k = 144, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
    {"box_outside", {.n = 2, .h = 17, .w = 17, .c = 192, .k = 128, .r = 1, .s = 2}},
    {"asymmetric", {.n = 2, .h = 13, .w = 29, .c = 96, .k = 64, .r = 1, .s = 3, .pad_h = 0, .pad_w = 1}},
    {"sliced", {.n = 4, .h = 8, .w = 8, .c = 192, .k = 144, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}, 5},
    {"strided_3x3",
     {.n = 3,
      .h = 17,
      .w = 14,
      .c = 80,
      .k = 144,
      .r = 3,
      .s = 3,
      .stride_h = 2,
      .stride_w = 2,
      .pad_h = 1,
      .pad_w = 1}},
    {"strided_1x1",
     {.n = 3, .h = 16, .w = 15, .c = 64, .k = 128, .r = 1, .s = 1, .stride_h = 2, .stride_w = 2}},
};
const ConvTile tiles[] = {wgmma_256x128, wgmma_128x128, wgmma_256x64, wgmma_128x64,
                          mma_128x128,   mma_128x64,    mma_64x64};

std::string tile_name(ConvTile tile) {
  std::string name = kernels::cuda::facts_of(tile).name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

// Whether a direction runs on wgmma, which is what is forced: a test of another kernel would be one of
// nothing.
bool on_wgmma(const Conv2d::Params& p, Direction d, bool codes) {
  if constexpr (kernels::built::cuda) {
    const auto& limits = kernels::cuda::device_limits();
    return codes ? kernels::cuda::int8_hopper_suits(p, d, limits) : kernels::cuda::hopper_suits(p, d, limits);
  }
  return false;
}

class ConvOnCard : public testing::TestWithParam<std::tuple<Shape, ConvTile>> {
 protected:
  void SetUp() override {
    if (kernels::cuda::facts_of(tile).wgmma && kernels::cuda_info().sm != 90)
      GTEST_SKIP() << "wgmma is of compute capability 9.0";
  }
  Conv2d::Params params() const {
    Conv2d::Params p = std::get<0>(GetParam()).p;
    p.dtype = DType::bf16;
    return p;
  }
  const ConvTile tile = std::get<1>(GetParam());
  const kernels::cuda::ForcedTile forced{tile, std::get<0>(GetParam()).slices};
  const Device device = test_device().device;
};

class Conv2dOnCard : public ConvOnCard {
 protected:
  ConvOracle oracle{params()};
  const Conv2d& kernel = kernels::conv2d(device);
  const Scratch workspace(Direction d) const { return Scratch(device, kernel.workspace_bytes(oracle.p, d)); }
  const Values x{DType::bf16, normal(oracle.x_size(), 1)}, w{DType::bf16, normal(oracle.w_size(), 2)},
      dy{DType::bf16, normal(oracle.y_size(), 3)};
};

TEST_P(Conv2dOnCard, forward) {
  ASSERT_EQ(on_wgmma(oracle.p, Direction::forward, false), kernels::cuda::facts_of(tile).wgmma);
  const Floats b = to_floats(normal(oracle.p.k, 4));
  const int64_t each = kernel.moment_rows(oracle.p), rows = oracle.y_size() / oracle.p.k;
  const bool sliced = kernels::cuda::facts_of(tile).wgmma && std::get<0>(GetParam()).slices > 1;
  ASSERT_EQ(each, sliced ? 0 : kernels::cuda::facts_of(tile).m) << "not this tile";
  Floats moments(each > 0 ? (rows + each - 1) / each * 2 * oracle.p.k : 0, NAN);
  Values y(DType::bf16, oracle.y_size());
  {
    const Scratch space = workspace(Direction::forward);
    Staged on;
    kernel.forward(oracle.p, {.x = on(x),
                              .w = on(w),
                              .b = on(b),
                              .y = on(y),
                              .workspace = space.get(),
                              .moments = each > 0 ? on(moments) : nullptr});
  }
  const Doubles xs = x.get(), ws = w.get();
  expect_sum(y.get(), oracle.forward(xs, ws, to_doubles(b)),
             oracle.forward(absolute(xs), absolute(ws), absolute(to_doubles(b))), rounding(DType::bf16), "y");
  if (each > 0) expect_moments(moments, y.get(), oracle.p.k, each);
}

TEST_P(Conv2dOnCard, backward_data) {
  ASSERT_EQ(on_wgmma(oracle.p, Direction::backward_data, false), kernels::cuda::facts_of(tile).wgmma);
  Values dx(DType::bf16, oracle.x_size());
  {
    const Scratch space = workspace(Direction::backward_data);
    Staged on;
    kernel.backward_data(oracle.p, {.dy = on(dy), .w = on(w), .dx = on(dx), .workspace = space.get()});
  }
  const Doubles dys = dy.get(), ws = w.get();
  expect_sum(dx.get(), oracle.backward_data(dys, ws), oracle.backward_data(absolute(dys), absolute(ws)),
             rounding(DType::bf16), "dx");
}

TEST_P(Conv2dOnCard, backward_weight) {
  ASSERT_EQ(on_wgmma(oracle.p, Direction::backward_weight, false), kernels::cuda::facts_of(tile).wgmma);
  Floats dw(oracle.w_size(), NAN);
  {
    const Scratch space = workspace(Direction::backward_weight);
    Staged on;
    kernel.backward_weight(oracle.p, {.x = on(x), .dy = on(dy), .dw = on(dw), .workspace = space.get()});
  }
  const Doubles xs = x.get(), dys = dy.get();
  expect_sum(to_doubles(dw), oracle.backward_weight(xs, dys),
             oracle.backward_weight(absolute(xs), absolute(dys)), rounding(DType::f32), "dw");
}

class Conv2dInt8OnCard : public ConvOnCard {
 protected:
  ConvInt8 conv{params()};
  ConvInt8Oracle oracle{params()};
  int64_t x_size = oracle.sums.x_size(), w_size = oracle.sums.w_size(), y_size = oracle.sums.y_size();
  Blocks w = Blocks::random(w_size, w_size, 2);
};

TEST_P(Conv2dInt8OnCard, integer_forward_is_the_oracles_bits) {
  ASSERT_EQ(on_wgmma(conv.p, Direction::forward, true), kernels::cuda::facts_of(tile).wgmma);
  const Blocks x = Blocks::random(x_size, x_size / conv.p.n, 1);
  const Floats b = to_floats(normal(conv.p.k, 4));
  const ConvInt8::Output got = conv.forward(ConvInt8::Path::integer, x, w, b);
  EXPECT_TRUE(got.y == oracle.forward(x, w, b));
  EXPECT_EQ(got.largest, oracle.largest(got.y));
}

TEST_P(Conv2dInt8OnCard, integer_backward_data_is_the_oracles_bits) {
  ASSERT_EQ(on_wgmma(conv.p, Direction::backward_data, true), kernels::cuda::facts_of(tile).wgmma);
  const Blocks dy = Blocks::random(y_size, y_size / conv.p.n, 3);
  EXPECT_TRUE(conv.backward_data(ConvInt8::Path::integer, dy, w) == oracle.backward_data(dy, w));
}

bool on_a_card() {
  return test_device().device == Device::cuda && !test_device().emulated();
}

// Elsewhere there is no case, but this one says so: hundreds of processes that skip would take a minute.
TEST(ConvOnCard, cases_are_for_cards) {
  if (!on_a_card())
    GTEST_SKIP() << "EB_TEST_DEVICE=cuda on a card has " << std::size(shapes) * std::size(tiles)
                 << " of each";
}

const auto every_case =
    testing::Combine(testing::ValuesIn(on_a_card() ? std::vector<Shape>(std::begin(shapes), std::end(shapes))
                                                   : std::vector<Shape>{}),
                     testing::ValuesIn(tiles));
std::string name_of_case(const testing::TestParamInfo<std::tuple<Shape, ConvTile>>& info) {
  return std::string(std::get<0>(info.param).name) + "_" + tile_name(std::get<1>(info.param));
}
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Conv2dOnCard);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Conv2dInt8OnCard);
INSTANTIATE_TEST_SUITE_P(All, Conv2dOnCard, every_case, name_of_case);
INSTANTIATE_TEST_SUITE_P(All, Conv2dInt8OnCard, every_case, name_of_case);

}  // namespace
}  // namespace eb::test
