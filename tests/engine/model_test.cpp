// The model against a double oracle of the whole graph: logits, gradients of every parameter, fusion, dtypes,
// threads, memory.
#include "engine/model.h"

#include <gtest/gtest.h>

#include <cstring>

#include "engine/allocator.h"
#include "engine/autograd.h"
#include "engine/ops/softmax_cross_entropy.h"
#include "engine/optimizer.h"
#include "support/oracle_graph.h"

namespace eb::test {
namespace {

using engine::LossResult;
using engine::Mode;
using engine::Model;
using engine::Parameter;
using engine::Tensor;
using kernels::DType;

constexpr int64_t batch = 5;

struct StepOutcome {
  Doubles logits, gradients;  // gradients: the whole arena
  double loss;
  bool operator==(const StepOutcome&) const = default;
};

StepOutcome train_step(Model& model, const Tensor& x, const Tensor& labels) {
  const Tensor logits = model.forward(x, Mode::train);
  const LossResult r = engine::softmax_cross_entropy(logits, labels, 0.f);
  engine::backward(r.loss);
  return {to_doubles(logits), to_doubles(model.gradients()), r.value()};
}

StepOutcome outcome(const GraphCase& c, DType dtype, int64_t n = batch, bool fused = true) {
  Model model = random_model(c.graph(), dtype);
  model.set_fused(fused);
  return train_step(model, random_images(model, n), some_labels(model, n));
}

double norm(const Doubles& v) {
  double sum = 0;
  for (double x : v) sum += x * x;
  return std::sqrt(sum);
}

double distance(const Doubles& a, const Doubles& b) {
  Doubles d = a;
  for (size_t i = 0; i < d.size(); ++i) d[i] -= b[i];
  return norm(d);
}

class EveryGraph : public testing::TestWithParam<GraphCase> {};

TEST_P(EveryGraph, logits_and_gradients_are_those_of_the_double_oracle) {
  Model model = random_model(GetParam().graph(), DType::f32);
  const Tensor x = random_images(model, batch), labels = some_labels(model, batch);
  const GraphOracle oracle(model, x, labels);
  const StepOutcome got = train_step(model, x, labels);
  expect_close(got.logits, oracle.logits(), 2e-6, 4e-6, "logits");
  EXPECT_NEAR(got.loss, oracle.loss(), 2e-6 * (1 + oracle.loss()));
  double scale = 0;
  for (const Parameter& p : model.parameters())
    for (double g : oracle.gradient(p.name)) scale = std::max(scale, std::abs(g));
  for (const Parameter& p : model.parameters())
    expect_close({model.gradient(p), model.gradient(p) + p.count}, oracle.gradient(p.name), 0, 3e-6 * scale,
                 p.name.c_str());
}

TEST_P(EveryGraph, fused_steps_are_the_plain_ops) {
  const StepOutcome fused = outcome(GetParam(), DType::f32),
                    plain = outcome(GetParam(), DType::f32, batch, false);
  EXPECT_EQ(fused.logits, plain.logits);
  EXPECT_LE(distance(fused.gradients, plain.gradients), 1e-6 * norm(plain.gradients));
}

// Half a unit in the last place is 2^-9 = 0.002 per stored value. Gradients suffer more: near 0, relu's mask
// flips; over 80 images that averages out.
TEST_P(EveryGraph, bf16_is_close_to_f32) {
  const StepOutcome wide = outcome(GetParam(), DType::f32, 80), narrow = outcome(GetParam(), DType::bf16, 80);
  EXPECT_LE(distance(narrow.logits, wide.logits), 0.01 * norm(wide.logits));
  EXPECT_LE(distance(narrow.gradients, wide.gradients), 0.06 * norm(wide.gradients));
}

TEST_P(EveryGraph, threads_do_not_change_bits) {
  for (DType dtype : {DType::f32, DType::bf16})
    expect_same_bits_for_any_threads([&] {
      Model model = random_model(GetParam().graph(), dtype);
      model.deterministic = true;
      return train_step(model, random_images(model, batch), some_labels(model, batch));
    });
}

TEST_P(EveryGraph, infer_uses_running_statistics_and_no_memory) {
  Model model = random_model(GetParam().graph(), DType::f32);
  const Tensor x = random_images(model, batch);
  const Tensor once = model.forward(x, Mode::infer);
  EXPECT_EQ(once.node(), nullptr);
  EXPECT_EQ(to_doubles(once), to_doubles(model.forward(x, Mode::infer)));
  train_step(model, x, some_labels(model, batch));
  for (int bn : model.graph().bn_nodes())
    EXPECT_NE(model.running(bn).var, std::vector<float>(model.running(bn).var.size(), 1.f));
}

INSTANTIATE_TEST_SUITE_P(Model, EveryGraph, testing::ValuesIn(graph_cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace eb::test
