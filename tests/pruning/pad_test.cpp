// Padding: the ticket as drawn, stored with channels that are zero and stay zero through training.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/train/trainer.h"
#include "pruning/compact.h"
#include "support/oracle_graph.h"
#include "support/pruning_models.h"

using namespace eb;
using namespace eb::engine;
using namespace eb::pruning;

namespace {

constexpr int64_t multiple = 4;

ClosedTicket padded_ticket(const Model& m, double ratio) {
  CloseConfig c;
  c.round_to = multiple;
  c.round = RoundTo::pad;
  return close_ticket(draw_ticket(m, {ratio}), m, c);
}

test::Doubles logits_of(const Model& m, const Batch& b) {
  return test::GraphOracle(m, b.images, b.labels).logits();
}

TrainConfig config() {
  TrainConfig c;
  c.lr = 0.02f;
  c.duration = parse_duration("100st");
  c.optimizer.l1 = 1e-3f;
  return c;
}

class Pad : public testing::TestWithParam<std::string> {};

}  // namespace

TEST_P(Pad, adds_channels_up_to_the_multiple_and_no_others) {
  const Model dense = test::pruning_model(GetParam());
  const ClosedTicket closed = padded_ticket(dense, 0.4);
  ASSERT_TRUE(closed.padded);
  EXPECT_GT(closed.padded->kept(), closed.ticket.kept());
  for (size_t b = 0; b < closed.ticket.masks.size(); ++b) {
    int64_t exact = 0, stored = 0;
    for (size_t c = 0; c < closed.ticket.masks[b].keep.size(); ++c) {
      exact += closed.ticket.masks[b].keep[c];
      stored += closed.padded->masks[b].keep[c];
      EXPECT_LE(closed.ticket.masks[b].keep[c], closed.padded->masks[b].keep[c]);
    }
    const auto all = static_cast<int64_t>(closed.ticket.masks[b].keep.size());
    EXPECT_TRUE(stored % multiple == 0 || stored == all) << closed.ticket.masks[b].bn;
    EXPECT_LT(stored - exact, multiple) << closed.ticket.masks[b].bn;
  }
}

TEST_P(Pad, is_the_function_of_the_masked_network) {
  const Model dense = test::pruning_model(GetParam());
  const ClosedTicket closed = padded_ticket(dense, 0.4);
  const Batch batch = test::random_batch(dense.graph(), 2, 3);
  const Model masked = masked_model(dense, closed.ticket),
              small = compact(dense, closed, MomentumRule::reset);
  test::expect_close(logits_of(small, batch), logits_of(masked, batch), 1e-10, 1e-10, "logits");
}

// Zero channels, weights that read them included, after steps with momentum, weight decay and L1.
TEST_P(Pad, stays_the_ticket_through_training) {
  const Model dense = test::pruning_model(GetParam());
  const ClosedTicket closed = padded_ticket(dense, 0.4);
  Trainer padded(compact(dense, closed, MomentumRule::carry), config(), 10);
  const Graph g = padded.model().graph();
  for (uint64_t seed : {1, 2, 3}) ASSERT_TRUE(padded.step(test::random_batch(g, 4, seed)).finite);
  Model again = clone(padded.model());
  zero_padding(again, dense.graph(), closed);
  const Tensor trained = padded.model().values(), zeroed = again.values();
  int64_t zeros = 0;
  for (int64_t i = 0; i < trained.size(); ++i) {
    ASSERT_EQ(trained.data<float>()[i], zeroed.data<float>()[i]) << i;
    zeros += trained.data<float>()[i] == 0.f;
  }
  EXPECT_GT(zeros, 0);

  Trainer exact(compact(dense, closed.ticket, MomentumRule::carry), config(), 10);
  Trainer also(compact(dense, closed, MomentumRule::carry), config(), 10);
  const Batch batch = test::random_batch(g, 4, 9);
  EXPECT_NEAR(exact.step(batch).loss, also.step(batch).loss, 1e-4) << "the first step is the same step";
}

INSTANTIATE_TEST_SUITE_P(Graphs, Pad, testing::ValuesIn(test::pruning_graph_names()),
                         [](const auto& info) { return info.param; });
