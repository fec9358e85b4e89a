// docs/method.md 4.3: deviations by fan out, constants, and that a draw depends on seed and element alone.
#include <gtest/gtest.h>

#include "engine/graph/arch/arch.h"
#include "engine/model/model.h"
#include "support/values.h"

namespace eb::test {
namespace {

using engine::InitConfig;
using engine::Model;
using engine::Parameter;
using Kind = Parameter::Kind;

Model initialized(const char* arch, int depth, const InitConfig& config, uint64_t seed = 1) {
  engine::ArchOptions options;
  options.depth = depth;
  Model model(engine::build_arch(arch, options), kernels::DType::f32);
  initialize(model, config, seed);
  return model;
}

struct Moments {
  double mean = 0, deviation = 0, kurtosis = 0, largest = 0;
};

Moments moments(const Model& model, const Parameter& p) {
  Moments m;
  const float* w = model.value(p);
  const double n = static_cast<double>(p.count);
  double fourth = 0;
  for (int64_t i = 0; i < p.count; ++i) m.mean += w[i] / n;
  for (int64_t i = 0; i < p.count; ++i) {
    const double d = w[i] - m.mean;
    m.deviation += d * d / n, fourth += d * d * d * d / n;
    m.largest = std::max<double>(m.largest, std::abs(w[i]));
  }
  m.kurtosis = fourth / (m.deviation * m.deviation);
  m.deviation = std::sqrt(m.deviation);
  return m;
}

TEST(Init, convolutions_are_normal_by_fan_out) {
  const Model model = initialized("vgg", 16, {});
  for (const Parameter& p : model.parameters()) {
    if (p.kind != Kind::conv_weight) continue;
    const double want = std::sqrt(2. / (9. * double(p.shape[0]))), n = static_cast<double>(p.count);
    const Moments m = moments(model, p);
    EXPECT_NEAR(m.mean, 0, 5 * want / std::sqrt(n)) << p.name;
    EXPECT_NEAR(m.deviation, want, 5 * want / std::sqrt(2 * n)) << p.name;
    EXPECT_NEAR(m.kurtosis, 3, 5 * std::sqrt(24 / n)) << p.name << ": not normal";
  }
}

TEST(Init, batch_norms_and_the_vgg_classifier) {
  const Model model = initialized("vgg", 16, {.bn_gamma = 0.5f});
  for (const Parameter& p : model.parameters()) {
    const Moments m = moments(model, p);
    const double deviation = p.kind == Kind::linear_weight ? 0.01 : 0,
                 mean = p.kind == Kind::bn_gamma ? 0.5 : 0;
    if (p.kind == Kind::conv_weight) continue;
    EXPECT_NEAR(m.deviation, deviation, 0.06 * deviation) << p.name;
    EXPECT_NEAR(m.mean, mean, 0.08 * deviation) << p.name;
  }
}

TEST(Init, pytorch_default_for_linear_layers) {
  const Model model = initialized("preresnet", 20, {.linear = InitConfig::Linear::uniform_fan_in});
  const double bound = 1 / std::sqrt(256.);
  const Parameter &w = *model.find(model.graph().output, Kind::linear_weight),
                  &b = *model.find(model.graph().output, Kind::bias);
  const Moments m = moments(model, w);
  EXPECT_LE(m.largest, bound);
  EXPECT_GT(m.largest, 0.99 * bound);
  EXPECT_NEAR(m.deviation, bound / std::sqrt(3.), 0.03 * bound);
  EXPECT_NEAR(m.mean, 0, 0.06 * bound);
  EXPECT_LE(moments(model, b).largest, bound);
  EXPECT_GT(moments(model, b).largest, 0.5 * bound);
}

TEST(Init, same_seed_same_bits_for_any_threads_and_another_seed_differs) {
  const auto values = [](uint64_t seed) {
    const Model model = initialized("vgg", 11, {}, seed);
    const float* w = model.values().data<float>();
    return std::vector<float>(w, w + model.values().size());
  };
  expect_same_bits_for_any_threads([&] { return values(7); });
  EXPECT_NE(values(7), values(8));
}

TEST(Init, layers_of_one_shape_differ) {
  const Model model = initialized("vgg", 16, {});
  std::vector<float> first(3);
  std::vector<std::vector<float>> seen;
  for (const Parameter& p : model.parameters()) {
    if (p.kind != Kind::conv_weight) continue;
    first.assign(model.value(p), model.value(p) + 3);
    for (float& v : first) v /= std::sqrt(2.f / (9.f * static_cast<float>(p.shape[0])));
    for (const auto& other : seen) EXPECT_GT(std::abs(other[0] - first[0]), 1e-6) << p.name;
    seen.push_back(first);
  }
}

TEST(Init, starts_over) {
  Model model = initialized("vgg", 11, {});
  const int bn = model.graph().bn_nodes()[0];
  model.running(bn).mean.data<float>()[0] = model.running(bn).var.data<float>()[0] = 3;
  model.momentum().data<float>()[0] = 3;
  initialize(model, {}, 1);
  EXPECT_EQ(model.running(bn).mean.item<float>(), 0);
  EXPECT_EQ(model.running(bn).var.item<float>(), 1);
  EXPECT_EQ(model.momentum().data<float>()[0], 0);
}

}  // namespace
}  // namespace eb::test
