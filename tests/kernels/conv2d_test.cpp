// Convolution against the double oracle, the oracle's gradients against finite differences of its forward.
#include "kernels/conv2d.h"

#include <tuple>

#include "support/conv_cases.h"
#include "support/conv_trial.h"
#include "support/devices.h"
#include "support/oracle_conv.h"

namespace eb::test {
namespace {

using kernels::Conv2d;
using kernels::DType;

using Trial = ConvTrial;

class Conv2dCase : public testing::TestWithParam<std::tuple<ConvCase, DType, TestDevice>> {
 protected:
  void SetUp() override {
    if (std::get<2>(GetParam()).emulated() && std::get<0>(GetParam()).flops() > 2e7)
      GTEST_SKIP() << "too many operations for the emulated device";
  }
  DeviceScope scope{std::get<2>(GetParam())};
  Trial trial{std::get<0>(GetParam()), std::get<1>(GetParam()), std::get<2>(GetParam()).device};
};

TEST_P(Conv2dCase, forward_matches_the_oracle) {
  const ConvOracle& o = trial.oracle;
  const Doubles x = trial.x.get(), w = trial.w.get(), b = to_doubles(trial.b);
  for (const bool bias : {false, true}) {
    const Doubles used = bias ? b : Doubles{};
    expect_sum(trial.forward(bias).get(), o.forward(x, w, used),
               o.forward(absolute(x), absolute(w), absolute(used)), rounding(trial.p.dtype),
               bias ? "y with bias" : "y");
  }
}

TEST_P(Conv2dCase, backward_data_matches_the_oracle) {
  const ConvOracle& o = trial.oracle;
  const Doubles dy = trial.dy.get(), w = trial.w.get();
  expect_sum(trial.backward_data().get(), o.backward_data(dy, w), o.backward_data(absolute(dy), absolute(w)),
             rounding(trial.p.dtype), "dx");
}

TEST_P(Conv2dCase, backward_weight_matches_the_oracle) {
  const ConvOracle& o = trial.oracle;
  const Doubles x = trial.x.get(), dy = trial.dy.get();
  const auto [dw, db] = trial.backward_weight();
  const double once = rounding(DType::f32);
  expect_sum(to_doubles(dw), o.backward_weight(x, dy), o.backward_weight(absolute(x), absolute(dy)), once,
             "dw");
  expect_sum(to_doubles(db), o.backward_bias(dy), o.backward_bias(absolute(dy)), once, "db");
}

TEST_P(Conv2dCase, same_bits_for_any_threads_or_schedule) {
  expect_same_bits_everywhere(std::get<2>(GetParam()), [&] {
    return std::tuple(trial.forward(true), trial.backward_data(), trial.backward_weight());
  });
}

// f32 is nearly exact where tensor cores multiply tf32, unless tf32 is asked for: 11 bits a factor.
TEST_P(Conv2dCase, tf32_matches_the_oracle_to_eleven_bits) {
  if (trial.p.dtype != DType::f32 || trial.device == kernels::Device::cpu) GTEST_SKIP() << "no tf32 here";
  trial.p.tf32 = true;
  const ConvOracle& o = trial.oracle;
  const Doubles x = trial.x.get(), w = trial.w.get(), dy = trial.dy.get();
  const auto near = [](const Doubles& got, const Doubles& want, const Doubles& scale, const char* what) {
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_LE(std::abs(got[i] - want[i]), 0x1.1p-10 * scale[i]) << what << "[" << i << "]";
  };
  near(trial.forward(false).get(), o.forward(x, w, {}), o.forward(absolute(x), absolute(w), {}), "y");
  near(trial.backward_data().get(), o.backward_data(dy, w), o.backward_data(absolute(dy), absolute(w)), "dx");
  near(to_doubles(trial.backward_weight().first), o.backward_weight(x, dy),
       o.backward_weight(absolute(x), absolute(dy)), "dw");
}

INSTANTIATE_TEST_SUITE_P(All, Conv2dCase,
                         testing::Combine(testing::ValuesIn(conv_cases()),
                                          testing::Values(DType::f32, DType::bf16),
                                          testing::ValuesIn(test_devices())),
                         [](const auto& info) {
                           return std::string("case_") + std::get<0>(info.param).name + "_" +
                                  name_of(std::get<1>(info.param)) + "_" + std::get<2>(info.param).name();
                         });

// The gradients of a bilinear function are exact in central differences up to rounding.
TEST(ConvOracle, gradients_match_finite_differences) {
  for (const ConvCase& shape : conv_cases()) {
    const ConvOracle o{shape.p};
    if (o.x_size() * o.y_size() > 400'000) continue;
    SCOPED_TRACE(shape.name);
    const Doubles x = normal(o.x_size(), 1), w = normal(o.w_size(), 2), dy = normal(o.y_size(), 3);
    const auto of_x = [&](const Doubles& at) { return o.forward(at, w, {}); };
    const auto of_w = [&](const Doubles& at) { return o.forward(x, at, {}); };
    expect_close(o.backward_data(dy, w), numeric_gradient(of_x, x, dy, 1e-2), 1e-9, 1e-9, "dx");
    expect_close(o.backward_weight(x, dy), numeric_gradient(of_w, w, dy, 1e-2), 1e-9, 1e-9, "dw");
  }
}

TEST(ConvOracle, sums_by_hand) {
  // 1 2 3 under the kernel 1 10 with one zero in front: 0 + 10, 1 + 20, 2 + 30, and the last with padding
  // behind: 3.
  const ConvOracle o{{.n = 1, .h = 1, .w = 3, .c = 1, .k = 1, .r = 1, .s = 2, .pad_h = 0, .pad_w = 1}};
  EXPECT_EQ(o.forward({1, 2, 3}, {1, 10}, {}), (Doubles{10, 21, 32, 3}));
  EXPECT_EQ(o.forward({1, 2, 3}, {1, 10}, {0.5}), (Doubles{10.5, 21.5, 32.5, 3.5}));
}

}  // namespace
}  // namespace eb::test
