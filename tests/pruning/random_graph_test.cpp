// Compaction of graphs that nobody thought of: a compacted network is the same function of its parameters as
// the masked one, with the same gradients, whatever the graph.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/tensor/autograd.h"
#include "pruning/compact.h"
#include "support/oracle_graph.h"
#include "support/pruning_models.h"
#include "support/random_graph.h"

using namespace eb;
using namespace eb::engine;
using namespace eb::pruning;
using eb::test::Doubles;

namespace {

constexpr uint64_t graphs = 400;

// The seed's graph, its numbers, and how it is pruned: every rule and rounding comes up.
struct Case {
  test::Choices choices;
  nlohmann::json text;
  Model dense;
  Batch batch;
  DrawConfig draw;
  CloseConfig close;

  explicit Case(uint64_t seed)
      : choices(seed),
        text(test::random_graph(choices)),
        dense(test::random_model(graph_from_json(text), DType::f32, seed + 1)),
        batch(test::random_batch(dense.graph(), 3, seed)) {
    draw = {.ratio = 0.2 + 0.1 * static_cast<double>(choices.below(7)),
            .rule = choices.one_in(4) ? Rule::reference : Rule::exact_k,
            .merge = choices.one_in(4) ? Merge::max : Merge::mean};
    close = {
        .min_channels = 1 + choices.below(2), .round_to = choices.one_in(3) ? 4 : 1, .merge = draw.merge};
    if (choices.one_in(3)) close.round = RoundTo::pad;
  }
  ClosedTicket ticket() const { return close_ticket(draw_ticket(dense, draw), dense, close); }
};

Doubles exact_logits(const Model& m, const Batch& b) {
  return test::GraphOracle(m, b.images, b.labels).logits();
}

// The masked network's gradients, gathered as compaction gathers momentum, beside the small one's own.
void expect_same_gradients(Model masked, Model small, const ClosedTicket& closed, const Batch& batch) {
  test::loss_and_gradients(masked, batch);
  test::loss_and_gradients(small, batch);
  freeze_masked(masked, closed.ticket);
  masked.momentum().copy_from(masked.gradients());
  const Model gathered = compact(masked, closed, MomentumRule::carry);
  // What is 0 on paper, the shift before another batch norm, is a difference of large numbers.
  double scale = 0;
  for (int64_t i = 0; i < small.gradients().size(); ++i)
    scale = std::max<double>(scale, std::abs(small.gradients().data<float>()[i]));
  for (const Parameter& p : small.parameters()) {
    const test::Floats got(small.gradient(p), small.gradient(p) + p.count),
        want(gathered.velocity(p), gathered.velocity(p) + p.count);
    test::expect_close(test::to_doubles(got), test::to_doubles(want), 1e-3, 1e-4 * scale, p.name.c_str());
  }
}

}  // namespace

TEST(RandomGraphs, a_compacted_network_is_the_masked_one) {
  uint64_t shrunk = 0;
  for (uint64_t seed = 0; seed < graphs && !HasFailure(); ++seed) {
    const Case c(seed);
    SCOPED_TRACE(c.text.dump());
    const ClosedTicket closed = c.ticket();
    const Model masked = masked_model(c.dense, closed.ticket),
                small = compact(c.dense, closed, MomentumRule::reset);
    test::expect_close(exact_logits(small, c.batch), exact_logits(masked, c.batch), 1e-9, 1e-9, "logits");
    shrunk += small.parameter_count() < c.dense.parameter_count();
  }
  EXPECT_GT(shrunk, graphs / 3) << "graphs in which nothing can go prove nothing";
}

TEST(RandomGraphs, gradients_are_the_same_too) {
  const test::ThreadCount one(1);  // the graphs are small
  for (uint64_t seed = 0; seed < graphs && !HasFailure(); ++seed) {
    const Case c(seed);
    SCOPED_TRACE(c.text.dump());
    const ClosedTicket closed = c.ticket();
    expect_same_gradients(masked_model(c.dense, closed.ticket), compact(c.dense, closed, MomentumRule::reset),
                          closed, c.batch);
  }
}

TEST(RandomGraphs, compact_a_second_time) {
  for (uint64_t seed = 0; seed < graphs && !HasFailure(); ++seed) {
    Case c(seed);
    SCOPED_TRACE(c.text.dump());
    c.dense =
        compact(c.dense, close_ticket(draw_ticket(c.dense, {0.3}), c.dense, {}).ticket, MomentumRule::reset);
    const ClosedTicket closed = c.ticket();
    const Model masked = masked_model(c.dense, closed.ticket),
                small = compact(c.dense, closed, MomentumRule::reset);
    test::expect_close(exact_logits(small, c.batch), exact_logits(masked, c.batch), 1e-9, 1e-9, "logits");
  }
}
