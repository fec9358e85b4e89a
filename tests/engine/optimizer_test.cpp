// SGD through the model: which parameters are decayed, the non-finite gate, clipping, the bf16 copy.
#include "engine/model/optimizer.h"

#include <gtest/gtest.h>

#include <limits>

#include "support/oracle_graph.h"

namespace eb::test {
namespace {

using engine::Model;
using engine::Parameter;
using engine::Sgd;
using kernels::DType;

Model model_of(DType dtype = DType::f32) {
  return random_model(graph_cases()[2].graph(), dtype);  // has every kind of parameter
}

void fill_gradients(Model& model, uint64_t seed) {
  for (const Parameter& p : model.parameters()) {
    const Doubles g = normal(p.count, seed + static_cast<uint64_t>(p.offset));
    std::copy(g.begin(), g.end(), model.gradient(p));
  }
}

// docs/method.md 4.1 in double: one step from momentum v.
double updated(const Parameter& p, const Sgd::Config& c, double lr, double w, double grad, double& v) {
  const bool bn_or_bias = p.shape.size() == 1;
  double g = grad;
  if (p.kind == Parameter::Kind::bn_gamma) g += c.l1 * (w > 0 ? 1 : w < 0 ? -1 : 0);
  if (!bn_or_bias || c.decay_bn) g += c.weight_decay * w;
  v = c.momentum * v + g;
  return w - lr * (c.nesterov ? g + c.momentum * v : v);
}

class SgdConfigs : public testing::TestWithParam<Sgd::Config> {};

TEST_P(SgdConfigs, three_steps_follow_the_formula) {
  const Sgd::Config config = GetParam();
  Model model = model_of();
  Doubles w, v(static_cast<size_t>(model.values().size()));
  w = to_doubles(model.values());
  const Sgd sgd(model, config);
  for (uint64_t step = 0; step < 3; ++step) {
    fill_gradients(model, step * 100'000);
    const double lr = 0.1 / (1. + double(step));
    for (const Parameter& p : model.parameters())
      for (int64_t i = 0; i < p.count; ++i) {
        const auto at = static_cast<size_t>(p.offset + i);
        w[at] = updated(p, config, lr, w[at], model.gradient(p)[i], v[at]);
      }
    EXPECT_TRUE(sgd.step(model, static_cast<float>(lr)));
  }
  expect_close(to_doubles(model.values()), w, 1e-6, 1e-6, "values");
  expect_close(to_doubles(model.momentum()), v, 1e-6, 1e-6, "momentum");
}

INSTANTIATE_TEST_SUITE_P(Optimizer, SgdConfigs,
                         testing::Values(Sgd::Config{}, Sgd::Config{.weight_decay = 0.1f, .l1 = 0.05f},
                                         Sgd::Config{.weight_decay = 0.1f, .nesterov = true},
                                         Sgd::Config{.weight_decay = 0.1f, .l1 = 0.05f, .decay_bn = false},
                                         Sgd::Config{.momentum = 0.f, .weight_decay = 0.f}),
                         [](const auto& info) { return "config_" + std::to_string(info.index); });

TEST(Optimizer, non_finite_gradient_changes_nothing) {
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    Model model = model_of(DType::bf16);
    fill_gradients(model, 1);
    model.gradient(model.parameters().back())[0] = bad;
    const Doubles w = to_doubles(model.values()), v = to_doubles(model.momentum()),
                  narrow = to_doubles(model.working());
    EXPECT_FALSE(Sgd(model, {}).step(model, 0.1f));
    EXPECT_EQ(to_doubles(model.values()), w);
    EXPECT_EQ(to_doubles(model.momentum()), v);
    EXPECT_EQ(to_doubles(model.working()), narrow);
  }
}

TEST(Optimizer, clip_scales_the_gradient_to_the_norm_and_never_up) {
  Sgd::Config config{.momentum = 0.f, .weight_decay = 0.f};
  for (float limit : {0.5f, 1e6f}) {
    Model model = model_of();
    fill_gradients(model, 5);
    config.clip_norm = limit;
    const Doubles before = to_doubles(model.values()), g = to_doubles(model.gradients());
    ASSERT_TRUE(Sgd(model, config).step(model, 1.f));
    double squares = 0;
    for (double x : g) squares += x * x;
    const double scale = std::min(1., limit / std::sqrt(squares));
    Doubles want = before;
    for (size_t i = 0; i < want.size(); ++i) want[i] -= scale * g[i];
    expect_close(to_doubles(model.values()), want, 1e-6, 1e-6, "values");
  }
}

TEST(Optimizer, bf16_copy_is_the_rounded_master) {
  Model model = model_of(DType::bf16);
  fill_gradients(model, 3);
  Sgd(model, {}).step(model, 0.1f);
  for (int64_t i = 0; i < model.values().size(); ++i)
    ASSERT_EQ(model.working().data<kernels::bf16>()[i].bits,
              kernels::bf16(model.values().data<float>()[i]).bits)
        << i;
}

TEST(Optimizer, gaps_between_parameters_stay_zero) {
  Model model = model_of();
  fill_gradients(model, 3);
  const Sgd sgd(model, {.weight_decay = 0.1f, .l1 = 0.1f});
  for (int i = 0; i < 3; ++i) sgd.step(model, 0.1f);
  std::vector<bool> used(static_cast<size_t>(model.values().size()));
  for (const Parameter& p : model.parameters()) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(model.value(p)) % 64, 0u) << p.name;
    std::fill_n(used.begin() + p.offset, p.count, true);
  }
  for (size_t i = 0; i < used.size(); ++i)
    if (!used[i]) {
      ASSERT_EQ(model.values().data<float>()[i], 0.f);
      ASSERT_EQ(model.momentum().data<float>()[i], 0.f);
    }
}

}  // namespace
}  // namespace eb::test
