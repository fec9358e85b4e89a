// Whole networks in 8 bit: every architecture and graph shape trains, by integers as by the exact path.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "engine/bfp/block_arena.h"
#include "engine/train/trainer.h"
#include "pruning/ticket.h"
#include "support/pruning_models.h"

namespace eb::test {
namespace {

using namespace engine;

Precision eight_bits(bool integer) {
  Precision p;
  p.quantized = true;
  p.weight.block = BlockFormat::Block::tensor;
  p.rounding = Quantize::Rounding::nearest;
  p.integer = integer;
  return p;
}

double first_loss(const std::string& name, const Precision& precision) {
  Model m = pruning_model(name);
  m.set_precision(precision);
  return loss_and_gradients(m, random_batch(m.graph(), 4));
}

class BlockModels : public testing::TestWithParam<std::string> {};

// Depthwise and grouped convolutions, strides, selects and convolutions that no batch norm follows included.
TEST_P(BlockModels, eight_bits_are_near_full_precision) {
  const double full = first_loss(GetParam(), {}), integer = first_loss(GetParam(), eight_bits(true)),
               exact = first_loss(GetParam(), eight_bits(false));
  EXPECT_NEAR(integer, exact, 1e-3 * std::abs(exact));
  EXPECT_NEAR(integer, full, 0.1 * std::abs(full));
  EXPECT_NE(integer, full);
}

INSTANTIATE_TEST_SUITE_P(Networks, BlockModels, testing::ValuesIn(pruning_graph_names()),
                         [](const auto& i) { return i.param; });

// Every tensor, step and place draws from counters of its own.
TEST(RoundingDraws, no_two_share_a_counter) {
  std::set<kernels::Philox4> seen;
  for (const uint32_t step : {0u, 1u, 70'000u})
    for (int node = 0; node < 40; ++node)
      for (uint32_t what = 0; what < static_cast<uint32_t>(RoundedTensor::count); ++what)
        for (const int64_t draw : {int64_t{0}, int64_t{1}, int64_t{1} << 40})
          EXPECT_TRUE(
              seen.insert(kernels::rounding_draw(7, step, rounding_id(node, RoundedTensor(what)), draw))
                  .second);
  EXPECT_LT(rounding_id(99'999, RoundedTensor::bias_momentum), 1u << 20) << "the largest graph there may be";
}

// Scales of few bits are often equal: exactly k are pruned, the first channels of those that tie.
TEST(RoundedScales, ties_are_broken_by_channel_order) {
  Model m = pruning_model("vgg16");
  for (const Parameter& p : m.parameters())
    if (p.kind == Parameter::Kind::bn_gamma)
      for (int64_t i = 0; i < p.count; ++i) m.value(p)[i] = 0.5f;
  m.values_changed();
  m.set_precision(eight_bits(true));
  const auto ticket = pruning::draw_ticket(m, {.ratio = 0.5});
  int64_t total = 0;
  for (const auto& mask : ticket.masks) total += static_cast<int64_t>(mask.keep.size());
  EXPECT_EQ(ticket.kept(), total - total / 2);
  bool kept_before = false;
  for (const auto& mask : ticket.masks)
    for (const bool keep : mask.keep) {
      EXPECT_FALSE(kept_before && !keep) << "a later channel went before an equal earlier one";
      kept_before |= keep;
    }
}

}  // namespace
}  // namespace eb::test
