// Two layers of the `reference` preset by hand: what is rounded, where, and that gradients pass straight
// through (docs/method.md 5.1). All sums here are exact in fp32, so every number must be the one on paper.
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/bfp/block_conv2d.h"
#include "engine/model/optimizer.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/linear.h"

namespace eb::test {
namespace {

using namespace engine;
using List = std::vector<float>;

Tensor tensor(Shape shape, const List& values) {
  const Tensor t = Tensor::empty(std::move(shape));
  std::memcpy(t.raw(), values.data(), t.bytes());
  return t;
}

List values(const Tensor& t) {
  const Tensor d = dense(t);
  return {d.data<float>(), d.data<float>() + d.size()};
}

struct Leaf {
  Tensor grad;
  Tensor value;
  Leaf(Shape shape, const List& v) : grad(Tensor::zeros(shape)), value(parameter(tensor(shape, v), grad)) {}
};

TEST(ReferenceStep, two_convolutions_by_hand) {
  const Leaf x({1, 2, 2, 1}, {1, 2, 3, -1}), w1({1, 1, 1, 1}, {0.7f}), w2({2, 1, 1, 1}, {1.5f, -0.25f}),
      wl({1, 2, 2, 2}, {0.3f, -1, 0.5f, 0.25f, -0.6f, 2, 1, 0.125f});
  Conv2dWeights first{w1.value, {}, {}, {}}, second{w2.value, {}, {}, {}};
  const BlockConv2dOptions o;  // 8 bits, an exponent a sample, to the nearest

  // 0.7 1.4 2.1 -0.7; the largest is 2.1, so delta = 2^(1 - 6): 22.4, 44.8, 67.2 and -22.4 of it.
  const Tensor y1 = block_conv2d(x.value, first, o);
  EXPECT_EQ(values(y1), (List{22 / 32.f, 45 / 32.f, 67 / 32.f, -22 / 32.f}));
  const Tensor r = relu(dense(y1));
  // 33, 67.5, 100.5, 0 and -5.5, -11.25, -16.75, 0 of 1/32: ties go up.
  const Tensor y2 = block_conv2d(r, second, o);
  EXPECT_EQ(values(y2), (List{33 / 32.f, -5 / 32.f, 68 / 32.f, -11 / 32.f, 101 / 32.f, -17 / 32.f, 0, 0}));
  backward(linear(dense(y2), wl.value, {}).reshape({1}));

  // The error of y2 is wl; its largest is 2, so 9.6, -32, 16, 8, -19.2, 64, 32, 4 of 1/32 become
  // e = 0.3125, -1, 0.5, 0.25, -0.59375, 2, 1, 0.125.
  EXPECT_EQ(values(w2.grad), (List{-0.3251953125f, 3.8515625f}));
  // e . w2 under relu's mask: 0.71875, 0.6875, -1.390625, 0 are multiples of 1/64 below 128.
  EXPECT_EQ(values(w1.grad), (List{-2.078125f}));
  EXPECT_EQ(values(x.grad), (List{0.7f * 0.71875f, 0.7f * 0.6875f, 0.7f * -1.390625f, 0}));
  EXPECT_EQ(values(wl.grad), values(y2)) << "the classifier reads 8-bit numbers";
}

Model small_model() {
  Graph g = graph_from_json(nlohmann::json::parse(R"({
      "input": {"id": "x", "shape": [2, 1, 1]}, "output": "fc", "nodes": [
      {"id": "conv", "op": "conv", "in": ["x"], "out_channels": 1, "kernel": 1},
      {"id": "bn", "op": "bn", "in": ["conv"]},
      {"id": "fc", "op": "linear", "in": ["bn"], "out_channels": 2}]})"));
  return Model(std::move(g), DType::f32);
}

// The numbers of one parameter before a step and after.
struct Update {
  const char* name;
  List value, gradient, momentum, new_value, new_momentum;
};

// docs/method.md 5.2 by hand, to the nearest: Q(gradient + l1), v = v / 2 + g + w / 4, w - 0.3 v, Q(w), Q(v).
TEST(ReferenceStep, an_update_by_hand) {
  Model m = small_model();
  Precision p;
  p.quantized = true;
  p.conv_inputs = false;
  p.rounding = Quantize::Rounding::nearest;
  const Update updates[] = {
      // One exponent for both: gradients 19.2 and -64 of 1/64; v = 67/64 and -7/8; w = 87.8 and 97.6 of
      // 1/128.
      {"conv.weight", {1, 0.5f}, {0.3f, -1}, {1, 0}, {88 / 128.f, 98 / 128.f}, {67 / 64.f, -56 / 64.f}},
      // 0.3 + 0.125: 108.8 of 1/256; v = 0.6008: 76.9 of 1/128; w = 0.5198: 66.5 of 1/128.
      {"bn.weight", {0.7f}, {0.3f}, {0}, {67 / 128.f}, {77 / 128.f}},
      // -102.4 of 1/1024; v = -0.1496: -76.6 of 1/512; w = -0.1551: -79.4 of 1/512.
      {"bn.bias", {-0.2f}, {-0.1f}, {0}, {-79 / 512.f}, {-77 / 512.f}}};
  const auto find = [&](const char* name) -> const Parameter& {
    for (const Parameter& q : m.parameters())
      if (q.name == name) return q;
    throw std::logic_error(name);
  };
  for (const Update& u : updates) {
    const Parameter& q = find(u.name);
    std::copy(u.value.begin(), u.value.end(), m.value(q));
    std::copy(u.gradient.begin(), u.gradient.end(), m.gradient(q));
    std::copy(u.momentum.begin(), u.momentum.end(), m.velocity(q));
  }
  m.set_precision(p);
  Sgd::Config c;
  c.momentum = 0.5f, c.weight_decay = 0.25f, c.l1 = 0.125f;
  ASSERT_TRUE(Sgd(m, c).step(m, 0.3f));
  for (const Update& u : updates) {
    const Parameter& q = find(u.name);
    EXPECT_EQ(List(m.value(q), m.value(q) + q.count), u.new_value) << u.name;
    EXPECT_EQ(List(m.velocity(q), m.velocity(q) + q.count), u.new_momentum) << u.name;
  }
}

}  // namespace
}  // namespace eb::test
