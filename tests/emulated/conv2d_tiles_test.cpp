// The tiles that only large layers choose, at shapes the emulated device can afford: wide copies, each tile,
// each direction, more than one block along every axis of the grid.
#define EB_EMULATED 1
#include "kernels/conv2d.h"
#include "kernels/emulated/device_limits.h"
#include "support/conv_cases.h"
#include "support/devices.h"
#include "support/oracle_batch_norm.h"
#include "support/oracle_conv.h"

namespace eb::test {
namespace {

using kernels::Conv2d;
using kernels::Device;
using kernels::DType;

struct TileCase {
  const char* name;
  Conv2d::Params p;
};

// k = 136 columns take the large tile twice, k = 48 the medium one; 200 rows are two tiles of 128.
const TileCase cases[] = {
    {"large_1x1", {.n = 2, .h = 10, .w = 10, .c = 32, .k = 136, .r = 1, .s = 1}},
    {"large_3x3", {.n = 1, .h = 12, .w = 12, .c = 16, .k = 136, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
    {"large_input", {.n = 2, .h = 10, .w = 10, .c = 136, .k = 16, .r = 1, .s = 1}},
    {"large_input_strided",
     {.n = 2,
      .h = 19,
      .w = 17,
      .c = 136,
      .k = 16,
      .r = 3,
      .s = 2,
      .stride_h = 2,
      .stride_w = 2,
      .pad_h = 1,
      .pad_w = 0}},  // 180 to 144 pixels a remainder
    {"medium_3x3", {.n = 2, .h = 10, .w = 10, .c = 16, .k = 48, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
    {"medium_groups",
     {.n = 2,
      .h = 10,
      .w = 10,
      .c = 32,
      .k = 64,
      .r = 3,
      .s = 3,
      .stride_h = 2,
      .stride_w = 2,
      .pad_h = 1,
      .pad_w = 1,
      .groups = 2}},
};

class Conv2dTiles : public testing::TestWithParam<std::tuple<TileCase, DType, TestDevice>> {
 protected:
  const kernels::emulated::LimitsScope one_processor{{.processors = 1}};
};

TEST_P(Conv2dTiles, match_the_oracle) {
  const auto& [shape, dtype, on] = GetParam();
  const DeviceScope scope(on);
  Conv2d::Params p = shape.p;
  p.dtype = dtype;
  const ConvOracle o{p};
  const Values x(dtype, normal(o.x_size(), 1)), w(dtype, normal(o.w_size(), 2)),
      dy(dtype, normal(o.y_size(), 3));
  const Doubles xs = x.get(), ws = w.get(), dys = dy.get();
  const OnDevice x_there(on.device, x), w_there(on.device, w), dy_there(on.device, dy);
  const Conv2d& kernel = kernels::conv2d(on.device);

  Values y(dtype, o.y_size()), dx(dtype, o.x_size());
  Floats dw(o.w_size(), NAN);
  const OnDevice y_there(on.device, y), dx_there(on.device, dx), dw_there(on.device, dw);
  const Scratch workspace(on.device, kernel.workspace_bytes(p, Conv2d::Direction::backward_weight));
  kernel.forward(p, {.x = x_there.get(), .w = w_there.get(), .y = y_there.get()});
  kernel.backward_data(p, {.dy = dy_there.get(), .w = w_there.get(), .dx = dx_there.get()});
  kernel.backward_weight(
      p,
      {.x = x_there.get(), .dy = dy_there.get(), .dw = dw_there.as<float>(), .workspace = workspace.get()});
  y_there.fetch(y.data());
  dx_there.fetch(dx.data());
  dw_there.fetch(dw);

  expect_sum(y.get(), o.forward(xs, ws, {}), o.forward(absolute(xs), absolute(ws), {}), rounding(dtype), "y");
  expect_sum(dx.get(), o.backward_data(dys, ws), o.backward_data(absolute(dys), absolute(ws)),
             rounding(dtype), "dx");
  expect_sum(to_doubles(dw), o.backward_weight(xs, dys), o.backward_weight(absolute(xs), absolute(dys)),
             rounding(DType::f32), "dw");
}

// Every tile's own epilogue: columns of y as it is stored, by the rows of one tile.
TEST_P(Conv2dTiles, leave_the_moments_of_their_output) {
  const auto& [shape, dtype, on] = GetParam();
  const DeviceScope scope(on);
  Conv2d::Params p = shape.p;
  p.dtype = dtype;
  const ConvOracle o{p};
  const Conv2d& kernel = kernels::conv2d(on.device);
  const int64_t rows = o.y_size() / p.k, each = kernel.moment_rows(p), slices = (rows + each - 1) / each;
  ASSERT_EQ(each, 128) << "not the tile this case is for";
  Values y(dtype, o.y_size());
  Floats moments(slices * 2 * p.k, NAN);
  const OnDevice x_there(on.device, Values(dtype, normal(o.x_size(), 1))),
      w_there(on.device, Values(dtype, normal(o.w_size(), 2))), y_there(on.device, y),
      moments_there(on.device, moments);
  kernel.forward(
      p, {.x = x_there.get(), .w = w_there.get(), .y = y_there.get(), .moments = moments_there.as<float>()});
  y_there.fetch(y.data());
  moments_there.fetch(moments);
  expect_moments(moments, y.get(), p.k, each);
}

INSTANTIATE_TEST_SUITE_P(All, Conv2dTiles,
                         testing::Combine(testing::ValuesIn(cases), testing::Values(DType::f32, DType::bf16),
                                          testing::ValuesIn(test_devices())),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) + "_" +
                                  name_of(std::get<1>(info.param)) + "_" + std::get<2>(info.param).name();
                         });

}  // namespace
}  // namespace eb::test
