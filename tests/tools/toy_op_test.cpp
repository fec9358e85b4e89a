// docs/add_an_op.md, followed by an op that is not in the list: y = w x sigmoid(x / softness), a weight for
// each channel. Its kernel is a loop, its rows are the arguments that a list, a plan and an oracle take.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/graph/accounting.h"
#include "engine/graph/channel_groups.h"
#include "engine/graph/shapes.h"
#include "engine/model/run_op.h"
#include "pruning/compact.h"
#include "support/oracle_graph.h"
#include "support/pruning_models.h"
#include "tools/export/onnx_graph.h"
#include "tools/export/torch_source.h"

using namespace eb;
using namespace eb::engine;
using eb::test::Doubles;
using nlohmann::json;

namespace {

// Step 3: the oracle.
double share(double x, float softness) {
  return 1 / (1 + std::exp(-x / softness));
}

Doubles toy_oracle(const Node& n, const Doubles& x, const Doubles& w) {
  Doubles y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = w[i % w.size()] * x[i] * share(x[i], n.eps);
  return y;
}

// Step 4: the op.
Tensor toy(const Tensor& x, const Tensor& w, float softness) {
  const int64_t n = x.size(), c = w.size();
  Tensor y = Tensor::empty(x.shape());
  for (int64_t i = 0; i < n; ++i)
    y.data<float>()[i] =
        w.data<float>()[i % c] * x.data<float>()[i] * float(share(x.data<float>()[i], softness));
  return record(y, {x, w}, [n, c, softness, x = x.detach(), w = w](const Tensor& dy) {
    Tensor dx = Tensor::empty(x.shape()), dw = grad_buffer(w);
    std::vector<double> sum(static_cast<size_t>(c));
    for (int64_t i = 0; i < n; ++i) {
      const double v = x.data<float>()[i], s = share(v, softness), g = dy.data<float>()[i];
      dx.data<float>()[i] = float(g * w.data<float>()[i % c] * (s + v * s * (1 - s) / softness));
      sum[static_cast<size_t>(i % c)] += g * v * s;
    }
    std::copy(sum.begin(), sum.end(), dw.data<float>());
    return std::vector<Tensor>{dx, dw};
  });
}

// Step 5: the literal. With `run`, which an op of the list has in the plan's table.
constexpr Key keys[] = {{"softness", &Node::eps, "How soft the step is; above 0.", Key::required}};

void infer(Node& node, const Inputs& in) {
  keep_shape(node, in);
  if (!(node.eps > 0)) fail(2107, node, "softness must be greater than 0");
}

std::vector<ParameterSpec> parameters(const Node& n, const Node&) {
  return {{Parameter::Kind::conv_weight, ".weight", {n.c, 1, 1, 1}}};
}

Tensor run(const Step& s, RunContext& c) {
  return toy(c.take_dense(s.input), c.weights[s.node].conv.w, c.graph.nodes[s.node].eps);
}

const OpSpec spec = {.name = "toy",
                     .doc = "w x sigmoid(x / softness).",
                     .output = "(C, H, W)",
                     .keys = keys,
                     .infer = infer,
                     .channels = always<ChannelRule::keeps>,
                     .parameters = parameters,
                     .work = [](const Node& n, const Node&) { return Work{.flops = 3 * n.h * n.w * n.c}; },
                     .run = run};

// Step 6: the list with one op more.
std::vector<Op> list_with_toy() {
  std::vector<Op> ops(all_ops().begin(), all_ops().end());
  ops.emplace_back(spec);
  return ops;
}

Graph graph_with(const OpSpec& op) {
  std::vector<Op> ops(all_ops().begin(), all_ops().end());
  ops.emplace_back(op);
  return graph_from_json(json::parse(R"({"input": {"id": "x", "shape": [3, 6, 6]}, "output": "fc", "nodes": [
      {"id": "c1", "op": "conv", "in": ["x"], "out_channels": 6, "kernel": 3, "pad": 1},
      {"id": "b1", "op": "bn", "in": ["c1"]},
      {"id": "t1", "op": "toy", "in": ["b1"], "softness": 0.5},
      {"id": "c2", "op": "conv", "in": ["t1"], "out_channels": 5, "kernel": 3, "stride": 2},
      {"id": "b2", "op": "bn", "in": ["c2"]},
      {"id": "t2", "op": "toy", "in": ["b2"], "softness": 2},
      {"id": "pool", "op": "global_avg_pool", "in": ["t2"]},
      {"id": "fc", "op": "linear", "in": ["pool"], "out_channels": 4}]})"),
                         ops);
}

Graph toy_graph() {
  return graph_with(spec);
}

test::GraphOracle oracle_of(const Model& m, const Batch& b) {
  test::GraphOracle o(m, b.images, b.labels);
  o.outside = toy_oracle;
  return o;
}

template <class F>
std::string refusal(int code, F&& f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.message();
    return e.message();
  }
  return "nothing";
}

}  // namespace

TEST(ToyOp, is_read_and_written_by_its_keys) {
  const json written = to_json(toy_graph());
  EXPECT_EQ(written["nodes"][2], (json{{"id", "t1"}, {"op", "toy"}, {"in", {"b1"}}, {"softness", 0.5}}));
  EXPECT_EQ(to_json(graph_from_json(written, list_with_toy())), written);
  EXPECT_NE(refusal(2114, [&] { graph_from_json(written); }).find("\"toy\""), std::string::npos);
  const auto changed = [&](const char* key, const json& value) {
    json j = written;
    j["nodes"][2][key] = value;
    return [j] { graph_from_json(j, list_with_toy()); };
  };
  EXPECT_EQ(refusal(2107, changed("softness", 0)), "node \"t1\": softness must be greater than 0");
  EXPECT_NE(refusal(2102, changed("softnes", 1)), "nothing");
  EXPECT_NE(refusal(2115, changed("in", {"b1", "c1"})), "nothing");
}

TEST(ToyOp, runs_forward_as_its_oracle_says) {
  Model m = test::random_model(toy_graph(), DType::f32);
  const Batch b = test::random_batch(m.graph(), 2);
  for (const bool fused : {true, false}) {
    m.set_fused(fused);
    test::expect_close(test::to_doubles(m.forward(b.images, Mode::train)), oracle_of(m, b).logits(), 1e-4,
                       1e-5, "logits");
  }
}

TEST(ToyOp, has_the_gradients_of_finite_differences) {
  Model m = test::random_model(toy_graph(), DType::f32);
  Batch b = test::random_batch(m.graph(), 2);
  b.labels = test::some_labels(m, 2);  // the oracle's
  test::loss_and_gradients(m, b);
  const test::GraphOracle oracle = oracle_of(m, b);
  for (const Parameter& p : m.parameters()) {
    const Doubles got(m.gradient(p), m.gradient(p) + p.count);
    test::expect_close(got, oracle.gradient(p.name), 1e-3, 1e-5, p.name.c_str());
  }
}

TEST(ToyOp, is_counted) {
  const Graph g = toy_graph();
  const LayerCost t1 = layer_costs(g)[g.find("t1")];
  EXPECT_EQ(t1.params, 6);
  EXPECT_EQ(t1.flops, 3 * 6 * 6 * 6);
  EXPECT_EQ(t1.macs, 0);
  // Beside convolutions, batch norms and the two rows at the end: its output is kept for backward.
  const auto kept = [](const Graph& graph) {
    return training_memory(graph, 1, DType::f32).saved_activations;
  };
  OpSpec in_place = spec;
  in_place.keeps = Keeps::nothing;
  EXPECT_EQ(kept(g) - kept(graph_with(in_place)), 4 * (6 * 6 * 6 + 2 * 2 * 5));
}

TEST(ToyOp, has_its_weight_in_the_state_dict) {
  Model m = test::random_model(toy_graph(), DType::f32),
        other = test::random_model(toy_graph(), DType::f32, 2);
  const auto values = state_dict(m);
  EXPECT_EQ(values.at("t1.weight").shape(), (Shape{6, 1, 1, 1}));
  load_state_dict(other, values);
  EXPECT_EQ(test::to_doubles(state_dict(other).at("t2.weight")), test::to_doubles(values.at("t2.weight")));
}

TEST(ToyOp, is_compacted_with_the_channels_that_it_keeps) {
  const Model dense = test::random_model(toy_graph(), DType::f32);
  const auto closed = pruning::close_ticket(pruning::draw_ticket(dense, {0.5}), dense, {}).ticket;
  const Model masked = pruning::masked_model(dense, closed),
              small = pruning::compact(dense, closed, pruning::MomentumRule::reset);
  const int64_t kept = small.graph().nodes[small.graph().find("c1")].c;
  EXPECT_LT(kept, 6);
  EXPECT_EQ(state_dict(small).at("t1.weight").shape(), (Shape{kept, 1, 1, 1}));
  const Batch b = test::random_batch(dense.graph(), 2);
  test::expect_close(oracle_of(small, b).logits(), oracle_of(masked, b).logits(), 1e-10, 1e-10, "logits");
}

TEST(ToyOp, is_padded_with_channels_of_zeros) {
  const Model dense = test::random_model(toy_graph(), DType::f32);
  pruning::CloseConfig round;
  round.round_to = 4;
  round.round = pruning::RoundTo::pad;
  const auto closed = pruning::close_ticket(pruning::draw_ticket(dense, {0.5}), dense, round);
  const Model masked = pruning::masked_model(dense, closed.ticket),
              padded = pruning::compact(dense, closed, pruning::MomentumRule::reset);
  EXPECT_EQ(state_dict(padded).at("t1.weight").shape(), (Shape{4, 1, 1, 1}));
  const Batch b = test::random_batch(dense.graph(), 2);
  test::expect_close(oracle_of(padded, b).logits(), oracle_of(masked, b).logits(), 1e-10, 1e-10, "logits");
}

// One that made something of zeros would keep its channels.
TEST(ToyOp, keeps_no_channels_together_without_a_channel_rule) {
  const auto prunable = [](const Graph& g) {
    const ChannelGroups all = channel_groups(g);
    return all.groups[all.of_node[g.find("b1")]].prunable;
  };
  OpSpec shifted = spec, silent = spec;
  shifted.channels = always<ChannelRule::shifted>;
  silent.channels = OpSpec{.name = "", .doc = "-", .output = "-"}.channels;
  EXPECT_TRUE(prunable(toy_graph()));
  EXPECT_FALSE(prunable(graph_with(shifted)));
  EXPECT_FALSE(prunable(graph_with(silent)));
}

TEST(ToyOp, is_refused_by_name_where_it_has_no_row) {
  const Model m = test::random_model(toy_graph(), DType::f32);
  EXPECT_EQ(refusal(2083, [&] { tools::torch_source(m.graph(), "toy"); }),
            "node \"t1\": the op \"toy\" has no form in PyTorch");
  EXPECT_EQ(refusal(2083, [&] { tools::onnx_graph(m, false); }),
            "node \"t1\": the op \"toy\" has no form in ONNX");
}

TEST(ToyOp, without_a_run_is_not_run) {
  OpSpec still = spec;
  still.run = nullptr;
  Model m = test::random_model(graph_with(still), DType::f32);
  const Batch b = test::random_batch(m.graph(), 2);
  EXPECT_THROW(m.forward(b.images, Mode::infer), std::logic_error);
}

namespace {

template <size_t... op>
constexpr bool covers(std::index_sequence<op...>, size_t first, size_t second) {
  OpRow<int> table[] = {{static_cast<Op::Known>(op), 0}...};
  std::swap(table[first], table[second]);
  return covers_every_op(table);
}

}  // namespace

// What the static_assert beside each table stands on.
TEST(OpTable, misses_no_row_and_no_order) {
  static_assert(covers(std::make_index_sequence<Op::count>(), 0, 0));
  static_assert(!covers(std::make_index_sequence<Op::count - 1>(), 0, 0), "a row is missing");
  static_assert(!covers(std::make_index_sequence<Op::count + 1>(), 0, 0), "a row of no op");
  static_assert(!covers(std::make_index_sequence<Op::count>(), 1, 2), "two rows have changed places");
  const OpRow<int> table[] = {{Op::conv, 1}, {Op::relu, 2}};
  EXPECT_EQ(*find_row(table, Op::relu), 2);
  EXPECT_EQ(find_row(table, Op(spec)), nullptr);
}
