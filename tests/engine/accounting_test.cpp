// Counts against docs/method.md 6.1 and 6.2; every expected number is the reference's or the paper's.
#include "engine/graph/accounting.h"

#include <gtest/gtest.h>

#include "engine/graph/arch/arch.h"

namespace eb::engine {

static Graph cifar(const std::string& arch, int depth, int64_t classes) {
  return build_arch(arch, {.depth = depth, .num_classes = classes});
}
static Graph imagenet(int depth, bool downsample_bias) {
  return build_arch(
      "resnet",
      {.depth = depth, .input = {3, 224, 224}, .num_classes = 1000, .downsample_bias = downsample_bias});
}

static void expect_cost(const Graph& g, int64_t flops, int64_t params) {
  EXPECT_EQ(graph_cost(g).flops, flops);
  EXPECT_EQ(graph_cost(g).params, params);
}

TEST(Accounting, forward_flops_and_parameters_are_the_reference_s) {
  expect_cost(cifar("vgg", 16, 10), 627'355'658, 14'724'042);
  expect_cost(cifar("vgg", 16, 100), 627'447'908, 14'770'212);
  expect_cost(cifar("preresnet", 101, 10), 313'959'434, 1'054'106);
  expect_cost(cifar("preresnet", 101, 100), 314'005'604, 1'077'236);
  expect_cost(cifar("preresnet", 164, 10), 504'742'922, 1'703'258);
  expect_cost(cifar("preresnet", 164, 100), 504'789'092, 1'726'388);
  expect_cost(imagenet(18, false), 3'637'254'632, 11'689'512);
  expect_cost(imagenet(50, true), 8'213'618'152, 25'560'872);
}

// torchvision's published parameter counts.
TEST(Accounting, parameters_of_the_other_resnets) {
  EXPECT_EQ(graph_cost(imagenet(34, false)).params, 21'797'672);
  EXPECT_EQ(graph_cost(imagenet(50, false)).params, 25'557'032);
  EXPECT_EQ(graph_cost(imagenet(101, false)).params, 44'549'160);
  EXPECT_EQ(graph_cost(imagenet(152, false)).params, 60'192'808);
}

// A net small enough to count by hand: x (2, 4, 4) -> conv 3x3 groups 2 bias -> bn -> relu -> max 2 -> fc.
static Graph tiny() {
  Graph g;
  Node x{.id = "x", .op = Op::input}, conv{.id = "c", .op = Op::conv, .in = {0}};
  x.c = 2, x.h = x.w = 4;
  conv.out_channels = 6, conv.groups = 2, conv.bias = true;
  conv.kernel[0] = conv.kernel[1] = 3, conv.pad[0] = conv.pad[1] = 1;
  Node pool{.id = "p", .op = Op::max_pool, .in = {3}}, fc{.id = "fc", .op = Op::linear, .in = {4}};
  pool.kernel[0] = pool.kernel[1] = pool.stride[0] = pool.stride[1] = 2;
  fc.out_channels = 5, fc.bias = true;
  g.nodes = {x, conv, {.id = "b", .op = Op::bn, .in = {1}}, {.id = "r", .op = Op::relu, .in = {2}}, pool, fc};
  g.output = 5;
  g.infer_shapes();
  return g;
}

TEST(Accounting, layer_by_layer) {
  const Graph g = tiny();
  const auto costs = layer_costs(g, DType::bf16);
  const int64_t flops[] = {0, (2 * 9 * 1 + 1) * 6 * 16, 2 * 96, 96, 4 * 24, 2 * 24 * 5 + 5};
  const int64_t params[] = {0, 6 * 9 + 6, 12, 0, 0, 24 * 5 + 5};
  const int64_t macs[] = {0, 9 * 96, 0, 0, 0, 120};
  const int64_t bytes[] = {64, 192, 192, 192, 48, 10};
  ASSERT_EQ(costs.size(), 6u);
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(costs[i].node, i);
    EXPECT_EQ(costs[i].flops, flops[i]) << i;
    EXPECT_EQ(costs[i].params, params[i]) << i;
    EXPECT_EQ(costs[i].macs, macs[i]) << i;
    EXPECT_EQ(costs[i].activation_bytes, bytes[i]) << i;
  }
}

TEST(Accounting, training_memory_by_hand) {
  const TrainingMemory m = training_memory(tiny(), 10, DType::bf16);
  const int64_t params = 60 + 12 + 125;
  EXPECT_EQ(m.parameters, params * 4);
  EXPECT_EQ(m.gradients, params * 4);
  EXPECT_EQ(m.momentum, params * 4);
  EXPECT_EQ(m.working_copy, params * 2);
  // x, conv, bn (with its relu), pool and its index bytes, fc
  EXPECT_EQ(m.saved_activations, 10 * (64 + 192 + 192 + 48 + 24 + 10));
  EXPECT_EQ(m.activation_gradients, 10 * 2 * 192);
  EXPECT_EQ(m.total(), params * 14 + 10 * (530 + 384));
  EXPECT_EQ(training_memory(tiny(), 10, DType::f32).working_copy, 0);
}

static double peta(int64_t images, const std::vector<TrainingPhase>& phases) {
  return training_flops(images, phases, FlopsRounding::paper) / 1e15;
}

constexpr int64_t giga = 1'000'000'000;

TEST(Accounting, resnet18_training_totals_of_table_7_2) {
  const int64_t dense = graph_cost(imagenet(18, false)).flops, p10 = 337 * giga / 100, p30 = 263 * giga / 100;
  const int64_t images = 1'281'167;
  EXPECT_NEAR(peta(images, {{90, dense}}), 1259.13, 0.005);
  EXPECT_NEAR(peta(images, {{90, dense}, {90, p10}}), 2424.86, 0.005);
  EXPECT_NEAR(peta(images, {{90, dense}, {90, p30}}), 2168.89, 0.005);
  EXPECT_NEAR(peta(images, {{11, dense}, {79, p10}}), 1177.15, 0.005);
  EXPECT_NEAR(peta(images, {{11, dense}, {79, p30}}), 952.46, 0.005);
}

TEST(Accounting, vgg16_training_totals_of_table_7_2) {
  struct Row {
    double search_epochs;
    int64_t pruned_flops;
    double continued, reinitialised;  // units of 0.05 P
  };
  const int64_t c100 = graph_cost(cifar("vgg", 16, 100)).flops, c10 = graph_cost(cifar("vgg", 16, 10)).flops;
  EXPECT_NEAR(peta(50'000, {{160, c100}}) / 0.05, 302.4, 0.05);
  EXPECT_NEAR(peta(50'000, {{320, c10}}) / 0.05, 604.8, 0.05);
  const auto check = [](int64_t dense, const Row& r) {
    const TrainingPhase search{r.search_epochs, dense};
    EXPECT_NEAR(peta(50'000, {search, {160 - r.search_epochs, r.pruned_flops}}) / 0.05, r.continued, 0.0501);
    EXPECT_NEAR(peta(50'000, {search, {160, r.pruned_flops}}) / 0.05, r.reinitialised, 0.0501);
  };
  check(c100, {25, 58 * giga / 100, 282.1, 325.6});
  check(c100, {20, 49 * giga / 100, 243.6, 273.0});
  check(c100, {13, 39 * giga / 100, 196.6, 211.8});
  check(c10, {23, 51 * giga / 100, 253.1, 288.3});
  check(c10, {20, 42 * giga / 100, 214.2, 239.4});
}

TEST(Accounting, unrounded_totals_are_exact) {
  EXPECT_EQ(training_flops(1000, {{2, 627'355'658}, {0.5, 3}}), 3e3 * (2 * 627'355'658.0 + 1.5));
}

}  // namespace eb::engine
