// The sm_90a convolutions against the double oracle, on the emulated copy unit and warpgroup multiplies.
#define EB_EMULATED 1
#include "kernels/conv2d.h"
#include "kernels/cuda/policy/conv2d_policy.h"
#include "support/as_on_hopper.h"
#include "support/devices.h"
#include "support/oracle_batch_norm.h"
#include "support/oracle_conv.h"

namespace eb::test {
namespace {

using kernels::Conv2d;
using kernels::Device;
using kernels::DType;
using Direction = Conv2d::Direction;

using enum kernels::cuda::ConvTile;

struct HopperCase {
  const char* name;
  kernels::cuda::ConvTile tile;
  Conv2d::Params p;
  int64_t slices = 1;
};

// 64 channels are one chunk, 72 one and a tail; 128 rows are one tile or half of one.
const HopperCase cases[] = {
    {"pointwise", wgmma_128x64, {.n = 2, .h = 9, .w = 9, .c = 64, .k = 64, .r = 1, .s = 1}},
    {"pointwise_tails", wgmma_256x128, {.n = 1, .h = 11, .w = 13, .c = 72, .k = 136, .r = 1, .s = 1}},
    {"sliced", wgmma_128x64, {.n = 9, .h = 16, .w = 8, .c = 64, .k = 24, .r = 2, .s = 1}, 4},
    {"sliced_3x3",
     wgmma_128x128,
     {.n = 2, .h = 9, .w = 9, .c = 72, .k = 136, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1},
     5},  // 18 chunks of 4 a slice and a rest of 2; backward-data 27 of 6 and 3
    {"few_channels",
     wgmma_256x64,
     {.n = 3, .h = 7, .w = 5, .c = 8, .k = 16, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
    {"padded_3x3",
     wgmma_256x64,
     {.n = 5, .h = 9, .w = 7, .c = 24, .k = 72, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
    {"large_3x3",
     wgmma_256x128,
     {.n = 1, .h = 12, .w = 12, .c = 128, .k = 128, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
    {"two_blocks_a_processor",
     wgmma_128x128,
     {.n = 1, .h = 12, .w = 12, .c = 128, .k = 128, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
    {"large_tiles",
     wgmma_256x128,
     {.n = 3, .h = 11, .w = 10, .c = 16, .k = 136, .r = 1, .s = 3, .pad_h = 0, .pad_w = 1}},
    {"unpadded_3x3", wgmma_128x64, {.n = 5, .h = 8, .w = 6, .c = 40, .k = 8, .r = 3, .s = 3}},
    {"padded_5x5",
     wgmma_128x128,
     {.n = 2, .h = 6, .w = 9, .c = 16, .k = 24, .r = 5, .s = 5, .pad_h = 2, .pad_w = 2}},
    {"wide_window",
     wgmma_128x64,
     {.n = 1, .h = 5, .w = 8, .c = 16, .k = 8, .r = 1, .s = 4, .pad_h = 0, .pad_w = 3}},
    {"pad_beyond_the_window",
     wgmma_256x64,
     {.n = 2, .h = 4, .w = 3, .c = 8, .k = 8, .r = 2, .s = 1, .pad_h = 3, .pad_w = 2}},
    {"box_outside", wgmma_128x128, {.n = 2, .h = 8, .w = 9, .c = 192, .k = 64, .r = 1, .s = 1}},
    // Backward-data is four launches, here of 4, 2, 2 and 1 taps and of as many pixels or fewer.
    {"strided_3x3",
     wgmma_128x64,
     {.n = 3,
      .h = 13,
      .w = 10,
      .c = 24,
      .k = 72,
      .r = 3,
      .s = 3,
      .stride_h = 2,
      .stride_w = 2,
      .pad_h = 1,
      .pad_w = 1}},
    // Three quarters of dx have no tap.
    {"strided_1x1",
     wgmma_256x128,
     {.n = 3, .h = 12, .w = 11, .c = 72, .k = 136, .r = 1, .s = 1, .stride_h = 2, .stride_w = 2}},
    {"uneven_strides",
     wgmma_256x64,
     {.n = 2,
      .h = 11,
      .w = 9,
      .c = 16,
      .k = 24,
      .r = 4,
      .s = 2,
      .stride_h = 3,
      .stride_w = 2,
      .pad_h = 2,
      .pad_w = 1}},
    {"rows_left_over",
     wgmma_128x128,
     {.n = 2, .h = 10, .w = 13, .c = 16, .k = 8, .r = 2, .s = 3, .stride_h = 3, .stride_w = 1}},
};

class Conv2dHopper : public testing::TestWithParam<std::tuple<HopperCase, TestDevice>> {
 protected:
  const TestDevice& on() const { return std::get<1>(GetParam()); }
  Conv2d::Params params() const {
    Conv2d::Params p = std::get<0>(GetParam()).p;
    p.dtype = DType::bf16;
    return p;
  }
  Values forward(const Values& x, const Values& w, const Floats& b, Floats* moments = nullptr) const {
    if (moments) moments->assign((rows() + each() - 1) / each() * 2 * oracle.p.k, NAN);
    const OnDevice moments_there(on().device, moments ? *moments : Floats{});
    const OnDevice x_there(on().device, x), w_there(on().device, w), b_there(on().device, b);
    Values y(DType::bf16, oracle.y_size());
    const OnDevice y_there(on().device, y);
    const Scratch workspace(on().device, kernel.workspace_bytes(oracle.p, Direction::forward));
    kernel.forward(oracle.p, {.x = x_there.get(),
                              .w = w_there.get(),
                              .b = b.empty() ? nullptr : b_there.as<float>(),
                              .y = y_there.get(),
                              .workspace = workspace.get(),
                              .moments = moments ? moments_there.as<float>() : nullptr});
    y_there.fetch(y.data());
    if (moments) moments_there.fetch(*moments);
    return y;
  }
  Values backward_data(const Values& dy, const Values& w) const {
    const OnDevice dy_there(on().device, dy), w_there(on().device, w);
    Values dx(DType::bf16, oracle.x_size());
    const OnDevice dx_there(on().device, dx);
    const Scratch workspace(on().device, kernel.workspace_bytes(oracle.p, Direction::backward_data));
    kernel.backward_data(
        oracle.p,
        {.dy = dy_there.get(), .w = w_there.get(), .dx = dx_there.get(), .workspace = workspace.get()});
    dx_there.fetch(dx.data());
    return dx;
  }

  std::pair<Floats, Floats> backward_weight() const {
    const OnDevice x_there(on().device, x), dy_there(on().device, dy);
    Floats dw(oracle.w_size(), NAN), db(oracle.p.k, NAN);
    const OnDevice dw_there(on().device, dw), db_there(on().device, db);
    const Scratch workspace(on().device, kernel.workspace_bytes(oracle.p, Direction::backward_weight));
    kernel.backward_weight(oracle.p, {.x = x_there.get(),
                                      .dy = dy_there.get(),
                                      .dw = dw_there.as<float>(),
                                      .db = db_there.as<float>(),
                                      .workspace = workspace.get()});
    dw_there.fetch(dw);
    db_there.fetch(db);
    return {dw, db};
  }

  int64_t rows() const { return oracle.y_size() / oracle.p.k; }
  int64_t each() const { return kernel.moment_rows(oracle.p); }

  AsOnHopper as_on_hopper;
  kernels::cuda::ForcedTile forced{std::get<0>(GetParam()).tile, std::get<0>(GetParam()).slices};
  ConvOracle oracle{params()};
  const Conv2d& kernel = kernels::cuda::conv2d;
  Values x{DType::bf16, normal(oracle.x_size(), 1)}, w{DType::bf16, normal(oracle.w_size(), 2)},
      dy{DType::bf16, normal(oracle.y_size(), 3)};
};

TEST_P(Conv2dHopper, forward_matches_the_oracle) {
  const DeviceScope scope(on());
  ASSERT_TRUE(kernels::cuda::hopper_suits(oracle.p, Direction::forward, kernels::cuda::device_limits()));
  const Doubles xs = x.get(), ws = w.get();
  const Floats b = to_floats(normal(oracle.p.k, 4));
  const Doubles scale = oracle.forward(absolute(xs), absolute(ws), absolute(to_doubles(b)));
  expect_sum(forward(x, w, b).get(), oracle.forward(xs, ws, to_doubles(b)), scale, rounding(DType::bf16),
             "y with bias");
  expect_sum(forward(x, w, {}).get(), oracle.forward(xs, ws, {}), scale, rounding(DType::bf16), "y");
}

// Each slice alone, so that a row counted twice or beyond the tensor is seen.
TEST_P(Conv2dHopper, forward_leaves_the_moments_of_its_stored_output) {
  const DeviceScope scope(on());
  if (std::get<0>(GetParam()).slices > 1) {
    EXPECT_EQ(each(), 0) << "sliced sums leave none";
    return;
  }
  ASSERT_EQ(each(), kernels::cuda::facts_of(std::get<0>(GetParam()).tile).m);
  for (const double mean : {0., 1e3}) {
    SCOPED_TRACE(mean);
    const Floats b = to_floats(normal(oracle.p.k, 4, mean, 1));
    Floats moments;
    const Values y = forward(x, w, b, &moments);
    EXPECT_TRUE(y == forward(x, w, b)) << "asking for moments changes y";
    expect_moments(moments, y.get(), oracle.p.k, each());
  }
}

TEST_P(Conv2dHopper, backward_data_matches_the_oracle) {
  const DeviceScope scope(on());
  ASSERT_TRUE(
      kernels::cuda::hopper_suits(oracle.p, Direction::backward_data, kernels::cuda::device_limits()));
  const Doubles dys = dy.get(), ws = w.get();
  expect_sum(backward_data(dy, w).get(), oracle.backward_data(dys, ws),
             oracle.backward_data(absolute(dys), absolute(ws)), rounding(DType::bf16), "dx");
}

TEST_P(Conv2dHopper, backward_weight_matches_the_oracle) {
  const DeviceScope scope(on());
  ASSERT_TRUE(
      kernels::cuda::hopper_suits(oracle.p, Direction::backward_weight, kernels::cuda::device_limits()));
  const Doubles xs = x.get(), dys = dy.get();
  const auto [dw, db] = backward_weight();
  expect_sum(to_doubles(dw), oracle.backward_weight(xs, dys),
             oracle.backward_weight(absolute(xs), absolute(dys)), rounding(DType::f32), "dw");
  expect_sum(to_doubles(db), oracle.backward_bias(dys), oracle.backward_bias(absolute(dys)),
             rounding(DType::f32), "db");
}

TEST_P(Conv2dHopper, every_schedule_gives_the_same_bits) {
  expect_same_bits_everywhere(on(), [&] {
    Floats moments;
    const Values y = forward(x, w, {}, each() > 0 ? &moments : nullptr);
    return std::pair(y.get(), moments);
  });
  expect_same_bits_everywhere(on(), [&] { return backward_data(dy, w).get(); });
  expect_same_bits_everywhere(on(), [&] { return backward_weight(); });
}

INSTANTIATE_TEST_SUITE_P(All, Conv2dHopper,
                         testing::Combine(testing::ValuesIn(cases), testing::ValuesIn(test_devices())),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) + "_" +
                                  std::get<1>(info.param).name();
                         });

TEST(Conv2dHopperSuits, only_what_the_copy_unit_can_address) {
  const Conv2d::Params fine{.dtype = DType::bf16, .n = 1, .h = 4, .w = 4, .c = 64, .k = 64, .r = 1, .s = 1};
  const auto suits = [](const Conv2d::Params& p) {
    return kernels::cuda::hopper_suits(p, Direction::forward, kernels::cuda::device_limits());
  };
  const kernels::cuda::ForcedTile forced(wgmma_128x64);
  EXPECT_FALSE(suits(fine)) << "without wgmma";
  const AsOnHopper as_on_hopper;
  EXPECT_TRUE(suits(fine));
  const auto without = [&](auto change) {
    Conv2d::Params p = fine;
    change(p);
    return suits(p);
  };
  EXPECT_TRUE(without([](auto& p) { p.stride_h = 8; }));
  EXPECT_FALSE(without([](auto& p) { p.stride_h = 9; }));
  EXPECT_FALSE(without([](auto& p) { p.dtype = DType::f32; }));
  EXPECT_FALSE(without([](auto& p) { p.c = 60; }));
  EXPECT_FALSE(without([](auto& p) { p.k = 60; }));
  EXPECT_FALSE(without([](auto& p) { p.groups = 2; }));
  EXPECT_FALSE(without([](auto& p) { p.pad_w = 128; }));
  EXPECT_FALSE(without([](auto& p) { p.n = int64_t{1} << 27; })) << "2^31 pixels";
}

}  // namespace
}  // namespace eb::test
