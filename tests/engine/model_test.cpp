// The model against a double oracle of the whole graph: logits, gradients of every parameter, fusion, dtypes,
// threads, memory.
#include "engine/model/model.h"

#include <gtest/gtest.h>

#include "engine/graph/arch/arch.h"
#include "engine/model/optimizer.h"
#include "engine/ops/softmax_cross_entropy.h"
#include "engine/tensor/allocator.h"
#include "engine/tensor/autograd.h"
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
    EXPECT_NE(to_doubles(model.running(bn).var), Doubles(model.running(bn).var.size(), 1.));
}

INSTANTIATE_TEST_SUITE_P(Model, EveryGraph, testing::ValuesIn(graph_cases()),
                         [](const auto& info) { return info.param.name; });

Model vgg(DType dtype) {
  engine::ArchOptions options;
  options.depth = 11, options.width = 0.25;
  Model model(engine::build_arch("vgg", options), dtype);
  initialize(model, {}, 1);
  return model;
}

TEST(Training, second_step_asks_the_system_for_no_memory) {
  for (DType dtype : {DType::f32, DType::bf16}) {
    Model model = vgg(dtype);
    const engine::Sgd sgd(model, {});
    const Tensor x = random_images(model, 32), labels = some_labels(model, 32);
    const auto step = [&] {
      train_step(model, x, labels);
      ASSERT_TRUE(sgd.step(model, 0.01f));
    };
    step();
    const engine::AllocatorStats before = engine::allocator_stats();
    step();
    step();
    EXPECT_EQ(engine::allocator_stats().system_allocations, before.system_allocations);
    EXPECT_EQ(engine::allocator_stats().in_use, before.in_use);
  }
}

// Saved activations are the inputs of each convolution and batch norm: twice each layer's output. A peak of
// 1.25 of that leaves room for one gradient of the first layer (a quarter of everything), not for holding any
// activation longer.
TEST(Training, peak_memory_is_what_backward_needs) {
  Model model = vgg(DType::f32);
  const Tensor x = random_images(model, 64), labels = some_labels(model, 64);
  double saved = 0;
  for (const engine::Node& n : model.graph().nodes)
    if (n.op == engine::Op::conv || n.op == engine::Op::bn || n.op == engine::Op::max_pool)
      saved += 64. * double(n.h * n.w * n.c) * 4;
  engine::trim_allocator();
  engine::reset_allocator_peak();
  const size_t before = engine::allocator_stats().in_use;
  train_step(model, x, labels);
  EXPECT_LT(double(engine::allocator_stats().peak - before), 1.25 * saved);
  EXPECT_EQ(engine::allocator_stats().in_use, before) << "a tape was kept";
}

TEST(Training, overfits_one_batch) {
  for (DType dtype : {DType::f32, DType::bf16}) {
    Model model = random_model(graph_cases()[0].graph(), dtype);
    const engine::Sgd sgd(model, {});
    const Tensor x = random_images(model, 16), labels = some_labels(model, 16);
    double loss = 0;
    for (int i = 0; i < 60; ++i) {
      loss = train_step(model, x, labels).loss;
      ASSERT_TRUE(sgd.step(model, 0.05f));
    }
    EXPECT_LT(loss, 0.01) << kernels::name_of(dtype);
  }
}

TEST(Training, many_steps_give_the_same_bits_for_any_threads) {
  for (DType dtype : {DType::f32, DType::bf16})
    expect_same_bits_for_any_threads([&] {
      Model model = vgg(dtype);
      model.deterministic = true;
      const engine::Sgd sgd(model, {.l1 = 1e-4f});
      const Tensor x = random_images(model, 9), labels = some_labels(model, 9);
      for (int i = 0; i < 3; ++i) {
        train_step(model, x, labels);
        sgd.step(model, 0.05f);
      }
      return to_doubles(model.values());
    });
}

TEST(Training, each_pass_overwrites_the_gradients_of_the_last) {
  Model model = random_model(graph_cases()[0].graph(), DType::f32);
  const Tensor x = random_images(model, batch), labels = some_labels(model, batch);
  const StepOutcome first = train_step(model, x, labels), second = train_step(model, x, labels);
  EXPECT_EQ(first.gradients, second.gradients);
}

TEST(Training, a_moved_model_goes_on) {
  Model model = random_model(graph_cases()[2].graph(), DType::f32);
  const Tensor x = random_images(model, batch), labels = some_labels(model, batch);
  const StepOutcome before = train_step(model, x, labels);
  Model moved = std::move(model);
  EXPECT_EQ(train_step(moved, x, labels).gradients, before.gradients);
  model = random_model(graph_cases()[0].graph(), DType::f32);
  train_step(model, random_images(model, 2), some_labels(model, 2));
}

// Packed weights are kept between evaluations: they must follow new values and another batch size.
TEST(Inference, sees_new_values_and_other_batch_sizes) {
  Model model = random_model(graph_cases()[0].graph(), DType::f32);
  const Tensor x = random_images(model, 40);
  const Doubles all = to_doubles(model.forward(x, Mode::infer));
  const auto& s = x.shape();
  for (int64_t n : {1, 7, 33}) {
    const Tensor part = Tensor::view(x.raw(), {n, s[1], s[2], s[3]}, DType::f32, engine::Device::cpu);
    expect_close(to_doubles(model.forward(part, Mode::infer)), {all.begin(), all.begin() + n * 4}, 1e-5, 1e-5,
                 "logits");
  }
  for (int64_t i = 0; i < model.values().size(); ++i) model.values().data<float>()[i] *= -1;
  model.values_changed();
  Model fresh = random_model(graph_cases()[0].graph(), DType::f32);
  load_state_dict(fresh, state_dict(model));
  EXPECT_NE(to_doubles(model.forward(x, Mode::infer)), all);
  EXPECT_EQ(to_doubles(model.forward(x, Mode::infer)), to_doubles(fresh.forward(x, Mode::infer)));
}

TEST(Inference, uses_the_running_statistics_as_they_are_now) {
  Model model = random_model(graph_cases()[5].graph(), DType::f32);  // conv, bn
  const Tensor x = random_images(model, 3);
  const Doubles before = to_doubles(model.forward(x, Mode::infer));
  const int bn = model.graph().bn_nodes()[0];
  std::fill_n(model.running(bn).mean.data<float>(), 4, 2.f);
  std::fill_n(model.running(bn).var.data<float>(), 4, 4.f);
  const Parameter& gamma = *model.find(bn, Parameter::Kind::bn_gamma);
  const Parameter& beta = *model.find(bn, Parameter::Kind::bn_beta);
  const Doubles got = to_doubles(model.forward(x, Mode::infer));
  const double was = std::sqrt(1 + 1e-5), is = std::sqrt(4 + 1e-5);
  Doubles want(got.size());
  for (size_t i = 0; i < want.size(); ++i) {
    const double g = model.value(gamma)[i % 4], b = model.value(beta)[i % 4];
    want[i] = g * ((before[i] - b) / g * was - 2) / is + b;
  }
  expect_close(got, want, 1e-5, 1e-5, "logits");
}

TEST(Model, needs_no_parameters) {
  const GraphCase pool = {"pool", R"({"input": {"id": "x", "shape": [3, 2, 2]}, "output": "gap", "nodes": [
    {"id": "gap", "op": "global_avg_pool", "in": ["x"]}]})"};
  Model model(pool.graph(), DType::f32);
  const StepOutcome got = train_step(model, random_images(model, 2), some_labels(model, 2));
  EXPECT_EQ(got.logits.size(), 6u);
  EXPECT_TRUE(engine::Sgd(model, {}).step(model, 0.1f));
}

TEST(Model, refuses_images_it_was_not_made_for) {
  Model model = random_model(graph_cases()[0].graph(), DType::f32);
  for (const engine::Shape& shape : {engine::Shape{0, 8, 6, 3}, {2, 6, 8, 3}, {2, 8, 6, 4}, {144}})
    EXPECT_THROW(model.forward(Tensor::zeros(shape), Mode::infer), std::logic_error);
  EXPECT_THROW(model.forward(Tensor::zeros({2, 8, 6, 3}, DType::bf16), Mode::infer), std::logic_error);
}

}  // namespace
}  // namespace eb::test
