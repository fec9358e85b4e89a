// Names and layout by hand, round trips, and what a strict load refuses.
#include <gtest/gtest.h>

#include "engine/base/error.h"
#include "engine/graph/arch/arch.h"
#include "support/oracle_graph.h"

namespace eb::test {
namespace {

using engine::Mode;
using engine::Model;
using engine::Parameter;
using engine::Shape;
using engine::Tensor;
using kernels::DType;

using Tensors = std::map<std::string, Tensor>;

GraphCase named(const std::string& name) {
  for (const GraphCase& c : graph_cases())
    if (name == c.name) return c;
  throw std::logic_error("no graph " + name);
}

// Every value tells where it is in the arena's order (K, R, S, C).
Model numbered() {
  Model model(named("residual").graph(), DType::f32);
  for (const Parameter& p : model.parameters())
    for (int64_t i = 0; i < p.count; ++i) model.value(p)[i] = static_cast<float>(i);
  return model;
}

TEST(StateDict, convolutions_are_oihw) {
  const Tensor t = state_dict(numbered()).at("c1.weight");
  ASSERT_EQ(t.shape(), (Shape{5, 3, 3, 3}));
  // OIHW (k, c, r, s) at ((k * 3 + c) * 3 + r) * 3 + s holds OHWI ((k * 3 + r) * 3 + s) * 3 + c.
  EXPECT_EQ(t.data<float>()[0], 0);    // (0, 0, 0, 0)
  EXPECT_EQ(t.data<float>()[1], 3);    // s = 1
  EXPECT_EQ(t.data<float>()[3], 9);    // r = 1
  EXPECT_EQ(t.data<float>()[9], 1);    // c = 1
  EXPECT_EQ(t.data<float>()[27], 27);  // k = 1
  EXPECT_EQ(t.data<float>()[((4 * 3 + 2) * 3 + 1) * 3 + 0], ((4 * 3 + 1) * 3 + 0) * 3 + 2);
}

TEST(StateDict, linear_reads_its_input_as_chw) {
  const Tensor t = state_dict(numbered()).at("fc.weight");  // input (4, 3, 5)
  ASSERT_EQ(t.shape(), (Shape{4, 60}));
  // Column c * 12 + h * 3 + w holds (h * 3 + w) * 5 + c.
  EXPECT_EQ(t.data<float>()[1], 5);   // w = 1
  EXPECT_EQ(t.data<float>()[3], 15);  // h = 1
  EXPECT_EQ(t.data<float>()[12], 1);  // c = 1
  EXPECT_EQ(t.data<float>()[60 + 2 * 12 + 3 * 3 + 2], 60 + (3 * 3 + 2) * 5 + 2);
}

TEST(StateDict, names_of_the_reference) {
  engine::ArchOptions options;
  options.depth = 20;
  Model model(engine::build_arch("preresnet", options), DType::f32);
  const Tensors d = state_dict(model);
  const std::pair<const char*, Shape> some[] = {{"conv1.weight", {16, 3, 3, 3}},
                                                {"layer1.0.bn1.weight", {16}},
                                                {"layer1.0.bn1.running_var", {16}},
                                                {"layer1.0.select.indexes", {16}},
                                                {"layer2.0.downsample.0.weight", {128, 64, 1, 1}},
                                                {"layer3.1.conv3.weight", {256, 64, 1, 1}},
                                                {"bn.running_mean", {256}},
                                                {"select.indexes", {256}},
                                                {"fc.weight", {10, 256}},
                                                {"fc.bias", {10}}};
  for (const auto& [name, shape] : some) {
    ASSERT_TRUE(d.count(name)) << name;
    EXPECT_EQ(d.at(name).shape(), shape) << name;
  }
  EXPECT_EQ(d.at("select.indexes").data<float>()[255], 1);
}

TEST(StateDict, a_select_is_a_vector_of_zeros_and_ones) {
  const Tensor t = state_dict(Model(named("pre_activation").graph(), DType::f32)).at("s1.indexes");
  EXPECT_EQ(to_doubles(t), (Doubles{1, 0, 1, 1, 0, 1}));
}

TEST(StateDict, round_trip_gives_the_same_network) {
  for (const GraphCase& c : graph_cases())
    for (DType dtype : {DType::f32, DType::bf16}) {
      Model from = random_model(c.graph(), dtype, 3), to = random_model(c.graph(), dtype, 4);
      const Tensor x = random_images(from, 3);
      from.forward(x, Mode::train);  // moves the running statistics
      load_state_dict(to, state_dict(from));
      EXPECT_EQ(to_doubles(to.values()), to_doubles(from.values())) << c.name;
      EXPECT_EQ(to_doubles(to.forward(x, Mode::infer)), to_doubles(from.forward(x, Mode::infer))) << c.name;
    }
}

TEST(StateDict, momentum_round_trip_uses_the_same_layout) {
  Model from = numbered(), to = numbered();
  std::copy_n(from.values().data<float>(), from.values().size(), from.momentum().data<float>());
  const Tensors d = momentum_dict(from);
  EXPECT_EQ(to_doubles(d.at("c1.weight")), to_doubles(state_dict(from).at("c1.weight")));
  EXPECT_FALSE(d.count("b1.running_mean"));
  load_momentum_dict(to, d);
  EXPECT_EQ(to_doubles(to.momentum()), to_doubles(from.momentum()));
}

// The refusal, after checking that the model is as it was.
std::string refusal(int code, const Tensors& tensors) {
  Model model = numbered();
  const Doubles before = to_doubles(model.values());
  try {
    load_state_dict(model, tensors);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code);
    EXPECT_EQ(to_doubles(model.values()), before) << "half loaded";
    return e.message() + " | " + e.hint();
  }
  return "loaded";
}

TEST(StateDict, strict_load_names_what_is_wrong) {
  const Tensors good = state_dict(random_model(named("residual").graph(), DType::f32));
  EXPECT_EQ(refusal(0, good), "loaded");
  Tensors t = good;
  t.erase("b1.bias"), t.erase("fc.weight");
  EXPECT_EQ(refusal(4010, t),
            "missing tensor \"b1.bias\", \"fc.weight\" | the file does not belong to this graph");
  t = good;
  t["b1.weigth"] = t["b1.weight"];
  EXPECT_EQ(refusal(4011, t), "unexpected tensor \"b1.weigth\" | did you mean \"b1.weight\"?");
  t = good;
  t["c1.weight"] = t["c1.weight"].reshape({5, 27});
  t["b2.running_var"] = Tensor::zeros({5}, DType::bf16);
  EXPECT_NE(
      refusal(4012, t).find("\"b2.running_var\" is bf16 (5), want f32 (5); \"c1.weight\" is f32 (5, 27), "
                            "want f32 (5, 3, 3, 3)"),
      std::string::npos);
}

TEST(StateDict, another_selection_is_another_graph) {
  Model model(named("pre_activation").graph(), DType::f32);
  Tensors t = state_dict(model);
  std::swap(t.at("s1.indexes").data<float>()[0], t.at("s1.indexes").data<float>()[1]);
  EXPECT_THROW(load_state_dict(model, t), Error);
}

}  // namespace
}  // namespace eb::test
