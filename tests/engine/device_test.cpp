// A complete small Early-Bird training on the device under test beside the CPU: search, draw, compact inside
// the run, train on. Device memory of the emulated device is inaccessible to the host outside launches and
// copies here, as on a card, so a host loop over device memory crashes this test.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/graph/arch/arch.h"
#include "engine/tensor/allocator.h"
#include "engine/train/evaluate.h"
#include "engine/train/trainer.h"
#include "pruning/close.h"
#include "pruning/compact.h"
#include "support/devices.h"
#include "support/pruning_models.h"
#ifdef EB_EMULATED_DEVICE
#include "kernels/emulated/strict_memory.h"
#endif

namespace eb::test {
namespace {

using namespace engine;
using namespace pruning;

// Selects become channel lists once it is compacted.
Graph small_preresnet() {
  ArchOptions o{.depth = 11, .width = 0.25};
  o.input[1] = o.input[2] = 16;
  return build_arch("preresnet", o);
}

// The network of models/quickstart.json at a quarter of its width.
Graph small_quickstart() {
  return build_arch("vgg", {.depth = 11, .width = 0.0625});
}

constexpr int steps_per_epoch = 3, search_epochs = 3, retrain_steps = 4, batch_size = 8;

struct Outcome {
  std::vector<double> losses;
  std::vector<int64_t> distances;
  std::vector<std::vector<uint8_t>> drawn, masks;  // before and after closing
  Shape small;                                     // parameters, channels kept
  double dense_loss = 0, test_loss = 0;
};

class Batches : public BatchSource {
 public:
  explicit Batches(const Graph& g) : graph_(g) {}
  void start(int64_t, int64_t) override { next_ = 0; }
  bool next(Batch& b) override {
    if (next_ == 2) return false;
    b = random_batch(graph_, batch_size - next_, 50 + next_);
    ++next_;
    return true;
  }
  int64_t batches_per_epoch() const override { return 2; }
  int64_t samples() const override { return 2 * batch_size - 1; }

 private:
  const Graph& graph_;
  int64_t next_ = 0;
};

Outcome train(const Graph& graph, Device device) {
  Model dense(graph, DType::f32, device);
  initialize(dense, {}, 3);
  TrainConfig config;
  config.lr = 0.05f;
  config.duration = parse_duration("100st");
  config.optimizer.l1 = 1e-3f;
  config.optimizer.clip_norm = 5.f;
  Trainer trainer(std::move(dense), config, steps_per_epoch);
  Outcome o;
  const auto step = [&](uint64_t seed) {
    const StepResult r = trainer.step(random_batch(graph, batch_size, seed));
    EXPECT_TRUE(r.finite);
    o.losses.push_back(r.loss);
  };
  PackedMask before;
  for (int epoch = 0; epoch < search_epochs; ++epoch) {
    for (int i = 0; i < steps_per_epoch; ++i) step(10 + epoch * steps_per_epoch + i);
    const PackedMask mask =
        draw_mask(bn_scores(trainer.model(), Rule::exact_k, Merge::mean), 0.5, Rule::exact_k);
    if (epoch)
      o.distances.push_back(
          kernels::topk_mask(Device::cpu).hamming(mask.bits, before.words.data(), mask.words.data()));
    before = mask;
  }
  Batches test(graph);
  o.dense_loss = evaluate(trainer.model(), test).loss;
  const Ticket drawn = draw_ticket(trainer.model(), {0.5});
  for (const Mask& m : drawn.masks) o.drawn.push_back(m.keep);
  const auto closed = close_ticket(drawn, trainer.model(), {});
  for (const Mask& m : closed.ticket.masks) o.masks.push_back(m.keep);
  trainer.replace_model(compact(trainer.model(), closed.ticket, MomentumRule::carry));
  o.small = {trainer.model().parameter_count(), closed.ticket.kept()};
  for (int i = 0; i < retrain_steps; ++i) step(90 + i);
  o.test_loss = evaluate(trainer.model(), test).loss;
  return o;
}

// A card adds in another order than the CPU, so two scales that all but tie may change places: one channel is
// kept in place of the other, which is two bits of the mask. The emulated device has no such case.
int64_t bits_that_may_differ() {
  return test_device().device == Device::cpu || test_device().emulated() ? 0 : 2;
}

int64_t differing_bits(const std::vector<std::vector<uint8_t>>& a,
                       const std::vector<std::vector<uint8_t>>& b) {
  EXPECT_EQ(a.size(), b.size());
  int64_t bits = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    EXPECT_EQ(a[i].size(), b[i].size()) << "mask " << i;
    for (size_t c = 0; c < std::min(a[i].size(), b[i].size()); ++c) bits += a[i][c] != b[i][c];
  }
  return bits;
}

class DeviceTest : public testing::TestWithParam<Graph (*)()> {
#ifdef EB_EMULATED_DEVICE
 protected:
  DeviceTest() {
    use_strict_memory(true);
  }
  ~DeviceTest() override {
    use_strict_memory(false);
  }
  // What the caching allocator kept lies in the other kind of memory.
  static void use_strict_memory(bool strict) {
    trim_allocator(Device::cuda);
    kernels::emulated::set_strict_memory(strict);
  }
#endif
};

TEST_P(DeviceTest, early_bird_training_is_the_cpus) {
  if (test_device().device == Device::cpu) GTEST_SKIP() << "EB_TEST_DEVICE names the device to compare";
  const Graph graph = GetParam()();
  const Outcome want = train(graph, Device::cpu), got = train(graph, test_device().device);
  ASSERT_EQ(got.losses.size(), want.losses.size());
  const int64_t differing = differing_bits(got.drawn, want.drawn), allowed = bits_that_may_differ();
  EXPECT_LE(differing, allowed) << "of the drawn masks";
  const size_t comparable = differing ? search_epochs * steps_per_epoch : want.losses.size();
  for (size_t i = 0; i < comparable; ++i) EXPECT_NEAR(got.losses[i], want.losses[i], 2e-4) << "step " << i;
  ASSERT_EQ(got.distances.size(), want.distances.size());
  for (size_t i = 0; i < want.distances.size(); ++i)  // each is between two masks
    EXPECT_LE(std::abs(got.distances[i] - want.distances[i]), 2 * allowed) << "distance " << i;
  EXPECT_NEAR(got.dense_loss, want.dense_loss, 2e-4);
  if (differing) return;  // the small networks are not the same one
  EXPECT_EQ(got.masks, want.masks);
  EXPECT_EQ(got.small, want.small);
  EXPECT_NEAR(got.test_loss, want.test_loss, 2e-3);
}

TEST_P(DeviceTest, state_dict_travels_between_devices) {
  const Graph graph = GetParam()();
  Model here(graph, DType::f32, Device::cpu), there(graph, DType::f32, test_device().device),
      back(graph, DType::f32, Device::cpu);
  initialize(here, {}, 1);
  load_state_dict(there, state_dict(here));
  load_state_dict(back, state_dict(there));
  const Tensor a = here.values(), b = back.values();
  EXPECT_EQ(std::memcmp(a.raw(), b.raw(), a.bytes()), 0);
}

TEST_P(DeviceTest, bf16_step_is_near_the_cpus) {
  const Graph graph = GetParam()();
  const auto losses = [&](Device device) {
    Model model(graph, DType::bf16, device);
    initialize(model, {}, 3);
    TrainConfig config;
    config.lr = 0.05f;
    config.compute = DType::bf16;
    config.duration = parse_duration("100st");
    Trainer trainer(std::move(model), config, steps_per_epoch);
    std::vector<double> all;
    for (uint64_t seed : {1, 2, 3}) {
      Batch b = random_batch(graph, batch_size, seed);
      Tensor narrow = Tensor::empty(b.images.shape(), DType::bf16);
      for (int64_t i = 0; i < b.images.size(); ++i) narrow.data<bf16>()[i] = b.images.data<float>()[i];
      b.images = narrow;
      all.push_back(trainer.step(b).loss);
    }
    return all;
  };
  const auto want = losses(Device::cpu), got = losses(test_device().device);
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 0.05) << "step " << i;
}

INSTANTIATE_TEST_SUITE_P(Graphs, DeviceTest, testing::Values(tiny_graph, small_preresnet, small_quickstart));

}  // namespace
}  // namespace eb::test
