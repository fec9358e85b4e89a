// A step in shards against shards computed one by one: gradients and losses add up, batch norms have the
// statistics of their shard, and the running ones see their mean. Recorded and replayed it has the same bits.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops/softmax_cross_entropy.h"
#include "engine/tensor/autograd.h"
#include "engine/train/sharded_statistics.h"
#include "engine/train/trainer.h"
#include "support/devices.h"
#include "support/pruning_models.h"

namespace eb::test {
namespace {

using namespace engine;

const Device device = test_device().device;

TrainConfig plain_config() {
  TrainConfig c;
  c.lr = 0.05f;
  c.duration = parse_duration("100st");
  c.optimizer.momentum = 0.f;
  c.optimizer.weight_decay = 0.f;
  return c;
}

Model fresh_model(DType compute = DType::f32) {
  Model model(tiny_graph(), compute, device);
  initialize(model, {}, 3);
  return model;
}

Trainer trainer_of(int64_t shards, const TrainConfig& config = plain_config()) {
  return Trainer(fresh_model(), config, 4, {.shards = shards});
}

Floats floats(const Tensor& t) {
  const Tensor host = t.to(Device::cpu);
  return {host.data<float>(), host.data<float>() + host.size()};
}

struct Expected {
  Doubles gradients, statistics;
  double loss = 0;
  int64_t top1 = 0;
};

// Each shard by itself, as a batch of its own; sums in double.
Expected one_by_one(const Batch& batch, int64_t shards) {
  Expected e;
  const int64_t n = batch.size();
  for (int64_t s = 0; s < shards; ++s) {
    const Range at = positions_of_shard(s, shards, n);
    if (at.size() == 0) continue;
    const double share = static_cast<double>(at.size()) / static_cast<double>(n);
    Model model = fresh_model();
    Model statistics = fresh_model();
    const Tensor x = batch.images.rows(at.first, at.size()).to(device);
    const LossResult loss = softmax_cross_entropy(model.forward(x, Mode::train),
                                                  batch.labels.rows(at.first, at.size()).to(device), 0.f);
    e.loss += share * loss.value();
    e.top1 += loss.counts.item<int32_t>();
    backward(loss.loss);
    statistics.forward_statistics(x, 1.f);
    const Floats g = floats(model.gradients()), now = floats(statistics.statistics());
    e.gradients.resize(g.size());
    e.statistics.resize(now.size());
    for (size_t i = 0; i < g.size(); ++i) e.gradients[i] += share * double{g[i]};
    for (size_t i = 0; i < now.size(); ++i) e.statistics[i] += share * double{now[i]};
  }
  return e;
}

class DeviceShards : public testing::TestWithParam<std::pair<int64_t, int64_t>> {};

TEST_P(DeviceShards, add_up_to_what_each_is_by_itself) {
  const auto [shards, samples] = GetParam();
  const Batch batch = random_batch(tiny_graph(), samples, 5);
  const Expected want = one_by_one(batch, shards);
  Trainer t = trainer_of(shards);
  const Floats before = floats(t.model().statistics());
  t.advance(batch);
  expect_close(to_doubles(floats(t.model().gradients())), want.gradients, 1e-4, 1e-6, "gradients");
  EXPECT_NEAR(t.totals().last_loss, want.loss, 1e-5);
  EXPECT_EQ(t.totals().top1, want.top1);
  EXPECT_EQ(t.totals().samples, samples);
  Doubles running(before.size());
  for (size_t i = 0; i < running.size(); ++i) running[i] = before[i] + 0.1 * (want.statistics[i] - before[i]);
  expect_close(to_doubles(floats(t.model().statistics())), running, 1e-4, 1e-6, "running statistics");
}

// Even shards, uneven ones, as many as samples, and more: some are empty.
INSTANTIATE_TEST_SUITE_P(, DeviceShards,
                         testing::Values(std::pair{1, 6}, std::pair{2, 6}, std::pair{4, 8}, std::pair{4, 7},
                                         std::pair{7, 16}, std::pair{5, 5}, std::pair{8, 3}),
                         [](const auto& info) {
                           return std::to_string(info.param.first) + "_of_" +
                                  std::to_string(info.param.second);
                         });

TEST(DeviceShardsStep, recorded_steps_have_the_bits_of_queued_ones) {
  TrainConfig config = plain_config();
  config.optimizer.momentum = 0.9f;
  config.optimizer.clip_norm = 1.f;
  Trainer recorded = trainer_of(4, config), queued = trainer_of(4, config);
  queued.set_capture(false);
  for (Trainer* t : {&recorded, &queued})
    for (int i = 0; i < 6; ++i) t->advance(random_batch(t->model().graph(), i % 3 == 2 ? 3 : 8, 20 + i));
  EXPECT_EQ(floats(recorded.model().values()), floats(queued.model().values()));
  EXPECT_EQ(floats(recorded.model().statistics()), floats(queued.model().statistics()));
  EXPECT_EQ(recorded.capture().replays(), device == Device::cpu ? 0 : 4);
}

TEST(DeviceShardsStep, a_bad_loss_names_its_shard_and_changes_nothing) {
  Trainer t = trainer_of(4);
  t.advance(random_batch(t.model().graph(), 8, 1));
  const Floats values = floats(t.model().values()), statistics = floats(t.model().statistics());
  Batch bad = random_batch(t.model().graph(), 8, 2);
  bad.images.data<float>()[5 * bad.images.size() / 8] = NAN;  // of sample 5, in shard 2
  t.advance(bad);
  EXPECT_EQ(t.totals().bad_step, 1);
  EXPECT_EQ(t.totals().bad_shard, 2);
  EXPECT_EQ(floats(t.model().values()), values);
  EXPECT_EQ(floats(t.model().statistics()), statistics);
}

TEST(DeviceShardsStep, estimated_statistics_are_the_mean_over_shards) {
  const Batch batch = random_batch(tiny_graph(), 7, 5);
  Model model = fresh_model();
  ShardedStatistics sharded(model, {.shards = 4});
  sharded.add(batch, 1.f);
  expect_close(to_doubles(floats(model.statistics())), one_by_one(batch, 4).statistics, 1e-5, 1e-6,
               "statistics");
}

}  // namespace
}  // namespace eb::test
