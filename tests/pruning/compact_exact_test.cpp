// The rewrite itself, without rounding to hide behind: in double, a masked network and its compacted self are
// the same function of their common parameters (so their gradients are equal too), and every number of the
// small network is the right number of the dense one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/tensor/autograd.h"
#include "kernels/elementwise.h"
#include "pruning/compact.h"
#include "support/oracle_graph.h"
#include "support/pruning_models.h"

using namespace eb;
using namespace eb::engine;
using namespace eb::pruning;
using eb::test::Doubles;
using Kind = Parameter::Kind;

namespace {

Ticket closed_ticket(const Model& m, double ratio) {
  return close_ticket(draw_ticket(m, {ratio}), m, {}).ticket;
}

Doubles exact_logits(const Model& m, const Batch& b) {
  return test::GraphOracle(m, b.images, b.labels).logits();
}

// Another point of parameter space; where two networks agree at several, they agree in their slopes.
void move(Model& m, uint64_t seed) {
  for (const Parameter& p : m.parameters()) {
    const Doubles step = test::normal(p.count, seed + static_cast<uint64_t>(p.offset), 0, 0.1);
    for (int64_t i = 0; i < p.count; ++i)
      m.value(p)[i] += static_cast<float>(step[i]) * std::abs(m.value(p)[i]);
  }
  m.values_changed();
}

void expect_same_function(Model dense, const Ticket& closed, uint64_t seed) {
  move(dense, seed);
  const Batch batch = test::random_batch(dense.graph(), 2, seed);
  const Model masked = masked_model(dense, closed), small = compact(dense, closed, MomentumRule::reset);
  test::expect_close(exact_logits(small, batch), exact_logits(masked, batch), 1e-10, 1e-10, "logits");
}

std::vector<int32_t> kept_of(const Ticket& t, const std::string& bn) {
  std::vector<int32_t> list;
  for (const Mask& m : t.masks)
    for (size_t c = 0; m.bn == bn && c < m.keep.size(); ++c)
      if (m.keep[c]) list.push_back(static_cast<int32_t>(c));
  return list;
}

class ExactCompaction : public testing::TestWithParam<std::string> {};

}  // namespace

TEST_P(ExactCompaction, is_the_same_function_as_masking) {
  const Model dense = test::pruning_model(GetParam());
  for (double ratio : {0.1, 0.5, 0.9}) {
    SCOPED_TRACE(ratio);
    expect_same_function(clone(dense), closed_ticket(dense, ratio), 10);
  }
}

TEST_P(ExactCompaction, is_the_same_function_the_second_and_third_time) {
  Model m = test::pruning_model(GetParam());
  for (uint64_t round = 1; round <= 3; ++round) {
    const Ticket closed = closed_ticket(m, 0.4);
    EXPECT_LT(closed.kept(), closed.total());
    expect_same_function(clone(m), closed, 100 * round);
    m = compact(m, closed, MomentumRule::carry);
  }
}

// Gate batch norms shrink to their mask; one that a select follows, or should, keeps its width.
TEST_P(ExactCompaction, batch_norms_keep_their_own_scales_statistics_and_momentum) {
  Model dense = test::pruning_model(GetParam());
  for (int64_t i = 0; i < dense.momentum().size(); ++i)
    dense.momentum().data<float>()[i] = static_cast<float>(i);
  const Ticket closed = closed_ticket(dense, 0.5);
  const Model carried = compact(dense, closed, MomentumRule::carry),
              fresh = compact(dense, closed, MomentumRule::reset);
  int narrower = 0;
  for (int bn : carried.graph().bn_nodes()) {
    const Node& now = carried.graph().nodes[bn];
    const int before = dense.graph().find(now.id);
    std::vector<int32_t> kept = kept_of(closed, now.id);
    if (now.c == dense.graph().nodes[before].c)
      for (kept.clear(); static_cast<int64_t>(kept.size()) < now.c;)
        kept.push_back(static_cast<int32_t>(kept.size()));
    ASSERT_EQ(static_cast<int64_t>(kept.size()), now.c) << now.id;
    narrower += now.c < dense.graph().nodes[before].c;
    for (size_t i = 0; i < kept.size(); ++i) {
      EXPECT_EQ(carried.running(bn).mean.data<float>()[i], dense.running(before).mean.data<float>()[kept[i]])
          << now.id;
      EXPECT_EQ(carried.running(bn).var.data<float>()[i], dense.running(before).var.data<float>()[kept[i]])
          << now.id;
      for (Kind kind : {Kind::bn_gamma, Kind::bn_beta}) {
        const Parameter &p = *carried.find(bn, kind), &from = *dense.find(before, kind);
        EXPECT_EQ(carried.value(p)[i], dense.value(from)[kept[i]]) << p.name;
        EXPECT_EQ(carried.velocity(p)[i], dense.velocity(from)[kept[i]]) << p.name;
        EXPECT_EQ(fresh.velocity(p)[i], 0.f) << p.name;
      }
    }
  }
  EXPECT_GT(narrower, 0);
}

INSTANTIATE_TEST_SUITE_P(AllNetworks, ExactCompaction, testing::ValuesIn(test::pruning_graph_names()),
                         [](const auto& info) { return info.param; });

TEST(Compact, a_convolution_keeps_the_rows_it_feeds_and_the_columns_it_reads) {
  Model dense = test::pruning_model("vgg16");
  for (int64_t i = 0; i < dense.momentum().size(); ++i)
    dense.momentum().data<float>()[i] = static_cast<float>(i);
  const Ticket closed = closed_ticket(dense, 0.5);
  const Model small = compact(dense, closed, MomentumRule::carry);
  const auto in = kept_of(closed, "feature.1"), out = kept_of(closed, "feature.4");
  const Parameter &w = *dense.find(dense.graph().find("feature.3"), Kind::conv_weight),
                  &s = *small.find(small.graph().find("feature.3"), Kind::conv_weight);
  ASSERT_EQ(s.shape, (Shape{static_cast<int64_t>(out.size()), 3, 3, static_cast<int64_t>(in.size())}));
  int64_t i = 0;
  for (int32_t row : out)
    for (int64_t tap = 0; tap < 9; ++tap)
      for (int32_t column : in) {
        const int64_t at = (row * 9 + tap) * w.shape[3] + column;
        ASSERT_EQ(small.value(s)[i], dense.value(w)[at]);
        ASSERT_EQ(small.velocity(s)[i++], dense.velocity(w)[at]);
      }
  const auto last = kept_of(closed, "feature.41");
  const Parameter &fc = *dense.find(dense.graph().output, Kind::linear_weight),
                  &small_fc = *small.find(small.graph().output, Kind::linear_weight);
  for (int64_t row = 0; row < 10; ++row)
    for (size_t c = 0; c < last.size(); ++c)
      ASSERT_EQ(small.value(small_fc)[row * static_cast<int64_t>(last.size()) + static_cast<int64_t>(c)],
                dense.value(fc)[row * fc.shape[3] + last[c]]);
}

TEST(Compact, a_linear_layer_before_a_batch_norm_loses_the_rows_that_it_feeds) {
  const Model dense =
      test::random_model(graph_from_json(nlohmann::json::parse(R"({"input": {"id": "x", "shape": [3, 4, 4]},
          "output": "fc", "nodes": [
          {"id": "l1", "op": "linear", "in": ["x"], "out_channels": 12},
          {"id": "b1", "op": "bn", "in": ["l1"]},
          {"id": "r1", "op": "relu", "in": ["b1"]},
          {"id": "fc", "op": "linear", "in": ["r1"], "out_channels": 4}]})")),
                         DType::f32);
  const Ticket closed = closed_ticket(dense, 0.5);
  const Model small = compact(dense, closed, MomentumRule::reset);
  const auto kept = static_cast<int64_t>(kept_of(closed, "b1").size());
  EXPECT_LT(kept, 12);
  EXPECT_EQ(small.find(small.graph().find("l1"), Kind::linear_weight)->shape, (Shape{kept, 4, 4, 3}));
  expect_same_function(clone(dense), closed, 10);
}

// Only the rounding of activations differs: the master weights are the same fp32 numbers.
TEST(Compact, bf16_models_compact_too) {
  for (const char* name : {"vgg16", "preresnet20"}) {
    const Model wide = test::pruning_model(name);
    Model dense(wide.graph(), DType::bf16);
    std::copy_n(wide.values().data<float>(), wide.values().size(), dense.values().data<float>());
    dense.values_changed();
    const Ticket closed = closed_ticket(dense, 0.5);
    Model masked = masked_model(dense, closed), small = compact(dense, closed, MomentumRule::reset);
    EXPECT_EQ(small.compute(), DType::bf16);
    const Tensor x = test::random_images(dense, 4);
    const NoGrad no_grad;
    const Doubles a = test::to_doubles(masked.forward(x, Mode::train)),
                  b = test::to_doubles(small.forward(x, Mode::train));
    double difference = 0, norm = 0;
    for (size_t i = 0; i < a.size(); ++i) difference += std::pow(a[i] - b[i], 2), norm += a[i] * a[i];
    EXPECT_LE(std::sqrt(difference), 0.02 * std::sqrt(norm)) << name;
  }
}

TEST(Compact, the_plan_adds_up_to_the_small_network) {
  for (const auto& name : test::pruning_graph_names()) {
    const Model dense = test::pruning_model(name);
    const Ticket closed = closed_ticket(dense, 0.5);
    const Model small = compact(dense, closed, MomentumRule::reset);
    int64_t before = 0, after = 0;
    for (const LayerChange& l : plan_compaction(dense.graph(), closed)) {
      before += l.params_before, after += l.params_after;
      EXPECT_LE(l.channels_after, l.channels_before) << l.id;
    }
    EXPECT_EQ(before, dense.parameter_count()) << name;
    EXPECT_EQ(after, small.parameter_count()) << name;
  }
}
