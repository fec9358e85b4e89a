// Convolution against the double oracle, the oracle's gradients against finite differences of its forward.
#include "kernels/conv2d.h"

#include <tuple>

#include "support/conv_cases.h"
#include "support/oracle_conv.h"

namespace eb::test {
namespace {

using kernels::Conv2d;
using kernels::DType;
using Direction = Conv2d::Direction;

// seen.

// One case with its inputs, rounded as the kernel sees them, and the kernel's calls.
struct Trial {
  Trial(const ConvCase& shape, DType dtype) : oracle{with(shape.p, dtype)} {}
  static Conv2d::Params with(Conv2d::Params p, DType dtype) {
    p.dtype = dtype;
    p.deterministic = true;
    return p;
  }
  Values forward(bool bias) { return act(Direction::forward, x, oracle.y_size(), bias ? b.data() : nullptr); }
  Values backward_data() { return act(Direction::backward_data, dy, oracle.x_size(), nullptr); }
  std::pair<Floats, Floats> backward_weight() const {
    Floats dw(oracle.w_size(), NAN), db(p.k, NAN);
    std::vector<char> workspace(kernel.workspace_bytes(p, Direction::backward_weight) + 64);
    kernel.backward_weight(p, x.data(), dy.data(), dw.data(), db.data(), aligned(workspace));
    return {dw, db};
  }
  Values act(Direction d, const Values& in, int64_t size, const float* bias) const {
    std::vector<char> packed(kernel.packed_bytes(p, d) + 64), workspace(kernel.workspace_bytes(p, d) + 64);
    kernel.pack(p, d, w.data(), aligned(packed));
    const void* weights = kernel.packed_bytes(p, d) ? aligned(packed) : w.data();
    Values out(p.dtype, size);
    if (d == Direction::forward) {
      kernel.forward(p, in.data(), weights, bias, out.data(), aligned(workspace));
    } else {
      kernel.backward_data(p, in.data(), weights, out.data(), aligned(workspace));
    }
    return out;
  }
  static void* aligned(std::vector<char>& v) {
    void* start = v.data();
    size_t space = v.size();
    return std::align(64, v.size() - 64, start, space);
  }

  ConvOracle oracle;
  Conv2d::Params p = oracle.p;
  Values x{p.dtype, normal(oracle.x_size(), 1)};
  Values w{p.dtype, normal(oracle.w_size(), 2)};
  Values dy{p.dtype, normal(oracle.y_size(), 3)};
  Floats b = to_floats(normal(p.k, 4));
  const Conv2d& kernel = kernels::conv2d(kernels::Device::cpu);
};

class Conv2dCase : public testing::TestWithParam<std::tuple<ConvCase, DType>> {
 protected:
  Trial trial{std::get<0>(GetParam()), std::get<1>(GetParam())};
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

TEST_P(Conv2dCase, same_bits_for_any_threads) {
  expect_same_bits_for_any_threads(
      [&] { return std::tuple(trial.forward(true), trial.backward_data(), trial.backward_weight()); });
}

TEST_P(Conv2dCase, same_bits_from_run_to_run) {
  EXPECT_TRUE(trial.forward(true) == trial.forward(true));
  EXPECT_TRUE(trial.backward_data() == trial.backward_data());
  EXPECT_TRUE(trial.backward_weight() == trial.backward_weight());
}

INSTANTIATE_TEST_SUITE_P(All, Conv2dCase,
                         testing::Combine(testing::ValuesIn(conv_cases()),
                                          testing::Values(DType::f32, DType::bf16)),
                         [](const auto& info) {
                           return std::string("case_") + std::get<0>(info.param).name + "_" +
                                  name_of(std::get<1>(info.param));
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
