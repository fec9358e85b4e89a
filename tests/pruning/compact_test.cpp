// The invariant that makes a ticket a rewrite: compact(x) == masked(x), in forward and in every gradient, for
// every architecture and ratio; and training either gives the same network.
#include "pruning/compact.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/autograd.h"
#include "engine/error.h"
#include "engine/optimizer.h"
#include "pruning/compact_axes.h"
#include "support/pruning_models.h"

using namespace eb;
using namespace eb::engine;
using namespace eb::pruning;
using eb::test::loss_and_gradients;

namespace {

struct Case {
  std::string network;
  double ratio;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.network << " p=" << c.ratio;
}

ClosedTicket closed_ticket(const Model& m, double ratio, const CloseConfig& config = {}) {
  return close_ticket(draw_ticket(m, {ratio}), m, config);
}

double largest(const Tensor& t) {
  double most = 0;
  for (int64_t i = 0; i < t.size(); ++i) most = std::max(most, std::abs(double{t.data<float>()[i]}));
  return most;
}

void expect_close(const Tensor& a, const Tensor& b, double relative) {
  ASSERT_EQ(a.shape(), b.shape());
  const double scale = largest(a);
  for (int64_t i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a.data<float>()[i], b.data<float>()[i], relative * scale + 1e-7) << "element " << i;
}

// Compares an arena of the dense network with that of the compacted one, parameter by parameter: what
// compact() itself gathers out of the dense arena must be what the small network holds.
void expect_same_arena(const Model& dense, const Tensor& dense_arena, const Model& small,
                       const Tensor& small_arena, const Ticket& closed, double relative) {
  Model carrier = clone(dense);
  std::memcpy(carrier.momentum().raw(), dense_arena.raw(), dense_arena.bytes());
  const Model gathered = compact(carrier, closed, MomentumRule::carry);
  // By norm, not by element: a rounding difference may move one maximum of a pool, or flip one relu.
  double all = 0;
  for (int64_t i = 0; i < small_arena.size(); ++i) all += std::pow(small_arena.data<float>()[i], 2);
  for (const Parameter& p : small.parameters()) {
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < p.count; ++i) {
      const double want = gathered.velocity(p)[i], got = small_arena.data<float>()[p.offset + i];
      difference += (got - want) * (got - want);
      norm += want * want;
    }
    ASSERT_LE(std::sqrt(difference), relative * std::sqrt(norm) + 1e-2 * relative * std::sqrt(all)) << p.name;
  }
}

class Compaction : public testing::TestWithParam<Case> {};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto& name : test::pruning_graph_names())
    for (double ratio : {0.1, 0.3, 0.5, 0.7, 0.9}) cases.push_back({name, ratio});
  return cases;
}

}  // namespace

TEST_P(Compaction, forward_equals_masked) {
  const Model dense = test::pruning_model(GetParam().network);
  const auto closed = closed_ticket(dense, GetParam().ratio);
  Model masked = masked_model(dense, closed.ticket),
        small = compact(dense, closed.ticket, MomentumRule::reset);
  EXPECT_LT(small.parameter_count(), dense.parameter_count());
  const Batch batch = test::random_batch(dense.graph(), 3);
  const NoGrad no_grad;
  expect_close(masked.forward(batch.images, Mode::infer), small.forward(batch.images, Mode::infer), 1e-4);
  expect_close(masked.forward(batch.images, Mode::train), small.forward(batch.images, Mode::train), 1e-4);
  for (int bn : small.graph().bn_nodes()) {
    const int before = dense.graph().find(small.graph().nodes[bn].id);
    if (small.graph().nodes[bn].c != dense.graph().nodes[before].c) continue;
    // A batch norm that kept its width reads the same tensor in both networks where its select keeps it.
    EXPECT_EQ(small.running(bn).mean.size(), masked.running(before).mean.size());
  }
}

TEST_P(Compaction, all_gradients_equal_masked) {
  const Model dense = test::pruning_model(GetParam().network);
  const auto closed = closed_ticket(dense, GetParam().ratio);
  Model masked = masked_model(dense, closed.ticket),
        small = compact(dense, closed.ticket, MomentumRule::reset);
  const Batch batch = test::random_batch(dense.graph(), 4);
  EXPECT_NEAR(loss_and_gradients(masked, batch), loss_and_gradients(small, batch), 1e-5);
  // Pruned scales of a selector keep their width in the small network, where nothing reaches them.
  freeze_masked(masked, closed.ticket);
  expect_same_arena(masked, masked.gradients(), small, small.gradients(), closed.ticket, 2e-3);
}

TEST_P(Compaction, training_masked_and_frozen_equals_training_compacted) {
  if (GetParam().ratio != 0.5) GTEST_SKIP() << "one ratio is enough for the long test";
  Model dense = test::pruning_model(GetParam().network);
  const Sgd::Config config{.weight_decay = 1e-3f, .l1 = 1e-3f};
  // Rounding differences grow from step to step, fastest in the deepest network; a small rate keeps them
  // small.
  const float lr = 1e-4f;
  const Batch batch = test::random_batch(dense.graph(), 8);
  for (int i = 0; i < 2; ++i) {  // so that there is momentum to carry
    loss_and_gradients(dense, batch);
    Sgd(dense, config).step(dense, lr);
  }
  const auto closed = closed_ticket(dense, GetParam().ratio);
  Model masked = masked_model(dense, closed.ticket),
        small = compact(masked, closed.ticket, MomentumRule::carry);
  const Sgd masked_sgd(masked, config), small_sgd(small, config);
  for (int i = 0; i < 5; ++i) {
    const double a = loss_and_gradients(masked, batch), b = loss_and_gradients(small, batch);
    EXPECT_NEAR(a, b, 1e-4 * std::abs(a)) << "step " << i;
    freeze_masked(masked, closed.ticket);
    ASSERT_TRUE(masked_sgd.step(masked, lr) && small_sgd.step(small, lr));
    freeze_masked(masked, closed.ticket);
  }
  expect_same_arena(masked, masked.values(), small, small.values(), closed.ticket, 1e-5);
  expect_same_arena(masked, masked.momentum(), small, small.momentum(), closed.ticket, 1e-2);
}

TEST_P(Compaction, the_small_graph_is_self_contained_and_can_be_pruned_again) {
  const Model dense = test::pruning_model(GetParam().network);
  const auto first = closed_ticket(dense, GetParam().ratio);
  const Model once = compact(dense, first.ticket, MomentumRule::carry);
  const Graph again = graph_from_json(to_json(once.graph()));
  EXPECT_EQ(to_json(again), to_json(once.graph()));
  const auto second = closed_ticket(once, 0.3);
  Model masked = masked_model(once, second.ticket), small = compact(once, second.ticket, MomentumRule::reset);
  const Batch batch = test::random_batch(dense.graph(), 2);
  const NoGrad no_grad;
  expect_close(masked.forward(batch.images, Mode::infer), small.forward(batch.images, Mode::infer), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(AllNetworks, Compaction, testing::ValuesIn(all_cases()));

TEST(CompactionDetails, no_layer_is_emptied_and_survivors_keep_their_own_values) {
  Model m = test::pruning_model("vgg16");
  const int bn = m.graph().bn_nodes()[3];
  const Parameter& gamma = *m.find(bn, Parameter::Kind::bn_gamma);
  for (int64_t i = 0; i < gamma.count; ++i) m.value(gamma)[i] = 1e-4f * static_cast<float>(i + 1);
  const auto closed = closed_ticket(m, 0.7);
  const auto& mask = closed.ticket.masks[3].keep;
  EXPECT_EQ(std::count(mask.begin(), mask.end(), uint8_t{1}), 1);
  EXPECT_EQ(mask.back(), 1) << "the largest |gamma| survives";
  const Model small = compact(m, closed.ticket, MomentumRule::reset);
  const int now = small.graph().find(m.graph().nodes[bn].id);
  EXPECT_EQ(small.value(*small.find(now, Parameter::Kind::bn_gamma))[0], m.value(gamma)[gamma.count - 1]);
  ASSERT_FALSE(closed.holds.empty());
  EXPECT_EQ(closed.holds[0].why, "min_channels");
}

TEST(CompactionDetails, round_to_min_channels_and_protect) {
  const Model m = test::pruning_model("vgg16");
  const auto up = closed_ticket(m, 0.5, {.min_channels = 8, .round_to = 8});
  const auto raw = closed_ticket(m, 0.5);
  for (size_t b = 0; b < up.ticket.masks.size(); ++b) {
    const auto count = [b](const Ticket& t) {
      return std::count(t.masks[b].keep.begin(), t.masks[b].keep.end(), uint8_t{1});
    };
    EXPECT_EQ(count(up.ticket) % 8, 0) << up.ticket.masks[b].bn;
    EXPECT_GE(count(up.ticket), count(raw.ticket));
    EXPECT_LT(count(up.ticket), count(raw.ticket) + 8);
  }
  const auto guarded = closed_ticket(m, 0.5, {.protect = {"feature.0", "feature.1*"}});
  for (const Mask& mask : guarded.ticket.masks)
    if (mask.bn.starts_with("feature.1")) {
      EXPECT_EQ(std::count(mask.keep.begin(), mask.keep.end(), uint8_t{0}), 0) << mask.bn;
    }
}

TEST(CompactionDetails, another_networks_ticket_is_refused) {
  const Model a = test::pruning_model("vgg16"), b = test::pruning_model("preresnet20");
  EXPECT_THROW(close_ticket(draw_ticket(a, {0.5}), b, {}), eb::Error);
}
