// Is the yardstick right? The vendor's convolutions and linear layers against the double oracle, on a card.
#include <algorithm>
#include <optional>
#include <tuple>

#include "kernels/library_error.h"
#include "kernels/reference.h"
#include "support/conv_trial.h"

namespace eb::test {
namespace {

using kernels::Conv2d;
using kernels::Device;
using kernels::DType;
using kernels::LibraryError;
using kernels::Linear;

bool on_a_card() {
  return test_device().device == Device::cuda && !test_device().emulated();
}

// Half a unit in the last place of the result, and of the sum that a bias is added to: that is stored first.
void expect_biased(const Doubles& got, const Doubles& want, const Doubles& scale, const Doubles& before,
                   DType dtype) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const double allowed =
        rounding(dtype) * (std::abs(want[i]) + 1.01 * std::abs(before[i])) + 0x1p-21 * scale[i];
    ASSERT_LE(std::abs(got[i] - want[i]), allowed) << "y[" << i << "] with bias, want " << want[i];
  }
}

// An algorithm that transforms tiles (Winograd, FFT) has an error that follows the largest values of a tile,
// not the products of one result: any result may be as far off as the one with the largest products may be.
Doubles largest_of(const Doubles& scale) {
  return Doubles(scale.size(), scale.empty() ? 0 : *std::max_element(scale.begin(), scale.end()));
}

class LibraryConv2d : public testing::TestWithParam<std::tuple<ConvCase, DType, bool>> {
 protected:
  void SetUp() override {
    if (!on_a_card()) GTEST_SKIP() << "for cards";
    const bool measured = std::get<2>(GetParam());
    const Conv2d* kernel =
        measured ? kernels::reference_conv2d(Device::cuda) : kernels::library_conv2d(Device::cuda);
    if (!kernel) GTEST_SKIP() << kernels::cudnn_library().problem;
    trial.emplace(std::get<0>(GetParam()), std::get<1>(GetParam()), Device::cuda, *kernel);
    x = trial->x.get(), w = trial->w.get(), dy = trial->dy.get();
  }
  // What the library does not compute is not wrong; that it computes what it should is a test of its own.
  template <class F>
  void unless_refused(const char* what, const F& check) {
    try {
      check();
    } catch (const LibraryError& e) {
      refused += std::string(what) + ": " + e.what() + "\n";
    }
  }
  std::optional<ConvTrial> trial;
  Doubles x, w, dy;
  std::string refused;
};

TEST_P(LibraryConv2d, matches_the_oracle) {
  const ConvOracle& o = trial->oracle;
  const DType dtype = trial->p.dtype;
  unless_refused("forward", [&] {
    const Doubles want = o.forward(x, w, {});
    expect_sum(trial->forward(false).get(), want, largest_of(o.forward(absolute(x), absolute(w), {})),
               rounding(dtype), "y");
    const Doubles b = to_doubles(trial->b);
    expect_biased(trial->forward(true).get(), o.forward(x, w, b),
                  largest_of(o.forward(absolute(x), absolute(w), absolute(b))), want, dtype);
  });
  unless_refused("backward data", [&] {
    expect_sum(trial->backward_data().get(), o.backward_data(dy, w),
               largest_of(o.backward_data(absolute(dy), absolute(w))), rounding(dtype), "dx");
  });
  unless_refused("backward weight", [&] {
    const auto [dw, db] = trial->backward_weight();
    expect_sum(to_doubles(dw), o.backward_weight(x, dy),
               largest_of(o.backward_weight(absolute(x), absolute(dy))), rounding(dtype),
               "dw");  // as the library stores it
    expect_sum(to_doubles(db), o.backward_bias(dy), o.backward_bias(absolute(dy)), rounding(DType::f32),
               "db");
  });
  if (!refused.empty()) GTEST_SKIP() << "the rest is right; refused: " << refused;
}

INSTANTIATE_TEST_SUITE_P(All, LibraryConv2d,
                         testing::Combine(testing::ValuesIn(conv_cases()),
                                          testing::Values(DType::f32, DType::bf16), testing::Bool()),
                         [](const auto& info) {
                           return std::string("case_") + std::get<0>(info.param).name + "_" +
                                  name_of(std::get<1>(info.param)) +
                                  (std::get<2>(info.param) ? "_measured" : "_by_rules");
                         });

// A yardstick that refuses everything would pass the cases above.
TEST(Library, computes_a_plain_convolution_in_every_direction) {
  if (!on_a_card()) GTEST_SKIP() << "for cards";
  const Conv2d* kernel = kernels::library_conv2d(Device::cuda);
  if (!kernel) GTEST_SKIP() << kernels::cudnn_library().problem;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    ConvTrial trial(conv_cases()[0], dtype, Device::cuda, *kernel);
    EXPECT_NO_THROW(trial.forward(true));
    EXPECT_NO_THROW(trial.backward_data());
    EXPECT_NO_THROW(trial.backward_weight());
  }
}

class LibraryLinear : public testing::TestWithParam<DType> {};

TEST_P(LibraryLinear, matches_the_oracle) {
  if (!on_a_card()) GTEST_SKIP() << "for cards";
  const Linear* kernel = kernels::reference_linear(Device::cuda);
  if (!kernel) GTEST_SKIP() << kernels::cublas_library().problem;
  const DType dtype = GetParam();
  const Linear::Params p{.dtype = dtype, .n = 70, .in = 256, .out = 304};
  const ConvOracle o{{.n = p.n, .h = 1, .w = 1, .c = p.in, .k = p.out, .r = 1, .s = 1}};
  const Values x(dtype, normal(p.n * p.in, 1)), w(dtype, normal(p.out * p.in, 2)),
      dy(dtype, normal(p.n * p.out, 3));
  const Floats b = to_floats(normal(p.out, 4));
  Values y(dtype, p.n * p.out), dx(dtype, p.n * p.in);
  Floats dw(static_cast<size_t>(p.out * p.in), NAN), db(static_cast<size_t>(p.out), NAN);
  {
    Staged on;
    const auto space = [&](Linear::Direction d) { return on.workspace(kernel->workspace_bytes(p, d)); };
    kernel->forward(
        p, {.x = on(x), .w = on(w), .b = on(b), .y = on(y), .workspace = space(Linear::Direction::forward)});
    kernel->backward_data(
        p, {.dy = on(dy), .w = on(w), .dx = on(dx), .workspace = space(Linear::Direction::backward_data)});
    kernel->backward_weight(p, {.x = on(x),
                                .dy = on(dy),
                                .dw = on(dw),
                                .db = on(db),
                                .workspace = space(Linear::Direction::backward_weight)});
  }
  const Doubles xs = x.get(), ws = w.get(), dys = dy.get(), bs = to_doubles(b);
  expect_biased(y.get(), o.forward(xs, ws, bs), o.forward(absolute(xs), absolute(ws), absolute(bs)),
                o.forward(xs, ws, {}), dtype);
  expect_sum(dx.get(), o.backward_data(dys, ws), o.backward_data(absolute(dys), absolute(ws)),
             rounding(dtype), "dx");
  expect_sum(to_doubles(dw), o.backward_weight(xs, dys), o.backward_weight(absolute(xs), absolute(dys)),
             rounding(DType::f32), "dw");
  expect_sum(to_doubles(db), o.backward_bias(dys), o.backward_bias(absolute(dys)), rounding(DType::f32),
             "db");
}

INSTANTIATE_TEST_SUITE_P(All, LibraryLinear, testing::Values(DType::f32, DType::bf16),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace eb::test
