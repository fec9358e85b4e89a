// Shapes large enough for the kernels that a card chooses only for large shapes (wgmma on sm_90a, the tiles
// of 128 by 128), as it chooses them: too much for the emulated device. Small shapes in every tile are in
// conv2d_card_test.cpp.
#include "kernels/conv2d.h"
#include "support/devices.h"
#include "support/oracle_conv.h"

namespace eb::test {
namespace {

using kernels::Conv2d;
using kernels::Device;
using kernels::DType;

struct LargeCase {
  const char* name;
  Conv2d::Params p;
  friend std::ostream& operator<<(std::ostream& out, const LargeCase& c) { return out << c.name; }
};

// 17,028 and 16,965 pixels: more than 132 tiles of 128, the last one partly filled.
const LargeCase cases[] = {
    {"pointwise", {.n = 9, .h = 44, .w = 43, .c = 64, .k = 256, .r = 1, .s = 1}},
    {"padded_3x3", {.n = 13, .h = 45, .w = 29, .c = 48, .k = 96, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}},
    // 192 channels end in the middle of a tile of 128.
    {"box_outside", {.n = 64, .h = 17, .w = 17, .c = 192, .k = 128, .r = 1, .s = 2}},
    {"strided",
     {.n = 16,
      .h = 65,
      .w = 67,
      .c = 64,
      .k = 128,
      .r = 3,
      .s = 3,
      .stride_h = 2,
      .stride_w = 2,
      .pad_h = 1,
      .pad_w = 1}},
    {"asymmetric", {.n = 13, .h = 45, .w = 29, .c = 96, .k = 64, .r = 1, .s = 3, .pad_h = 0, .pad_w = 1}},
};

class Conv2dLarge : public testing::TestWithParam<LargeCase> {
 protected:
  void SetUp() override {
    if (device != Device::cuda || test_device().emulated()) GTEST_SKIP() << "for cards";
    p.dtype = DType::bf16;
    oracle.p = p;
    x = Values(p.dtype, normal(oracle.x_size(), 1));
    w = Values(p.dtype, normal(oracle.w_size(), 2));
    dy = Values(p.dtype, normal(oracle.y_size(), 3));
  }
  Device device = test_device().device;
  Conv2d::Params p = GetParam().p;
  ConvOracle oracle;
  Values x{DType::bf16, 0}, w{DType::bf16, 0}, dy{DType::bf16, 0};
};

TEST_P(Conv2dLarge, forward) {
  Values y(p.dtype, oracle.y_size());
  {
    const Conv2d& kernel = kernels::conv2d(device);
    const Scratch workspace(device, kernel.workspace_bytes(p, Conv2d::Direction::forward));
    Staged on;
    kernel.forward(
        p, {.x = on(std::as_const(x)), .w = on(std::as_const(w)), .y = on(y), .workspace = workspace.get()});
  }
  const Doubles xs = x.get(), ws = w.get();
  expect_sum(y.get(), oracle.forward(xs, ws, {}), oracle.forward(absolute(xs), absolute(ws), {}),
             rounding(p.dtype), "y");
}

TEST_P(Conv2dLarge, backward_data) {
  Values dx(p.dtype, oracle.x_size());
  {
    const Conv2d& kernel = kernels::conv2d(device);
    const Scratch workspace(device, kernel.workspace_bytes(p, Conv2d::Direction::backward_data));
    Staged on;
    kernel.backward_data(
        p,
        {.dy = on(std::as_const(dy)), .w = on(std::as_const(w)), .dx = on(dx), .workspace = workspace.get()});
  }
  const Doubles dys = dy.get(), ws = w.get();
  expect_sum(dx.get(), oracle.backward_data(dys, ws), oracle.backward_data(absolute(dys), absolute(ws)),
             rounding(p.dtype), "dx");
}

TEST_P(Conv2dLarge, backward_weight) {
  const Conv2d& kernel = kernels::conv2d(device);
  Floats dw(oracle.w_size(), NAN);
  {
    const Scratch workspace(device, kernel.workspace_bytes(p, Conv2d::Direction::backward_weight));
    Staged on;
    kernel.backward_weight(
        p,
        {.x = on(std::as_const(x)), .dy = on(std::as_const(dy)), .dw = on(dw), .workspace = workspace.get()});
  }
  const Doubles xs = x.get(), dys = dy.get();
  expect_sum(to_doubles(dw), oracle.backward_weight(xs, dys),
             oracle.backward_weight(absolute(xs), absolute(dys)), rounding(DType::f32), "dw");
}

INSTANTIATE_TEST_SUITE_P(All, Conv2dLarge, testing::ValuesIn(cases),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace eb::test
