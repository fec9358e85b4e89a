// The step that waits for nothing: recorded and replayed it gives the bits of one that is queued anew each
// time, a bad step stops all later ones, and batches made on the device are the host's.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "data/loader.h"
#include "engine/ops/softmax_cross_entropy.h"
#include "engine/tensor/autograd.h"
#include "engine/train/trainer.h"
#include "support/data_sets.h"
#include "support/devices.h"
#include "support/pruning_models.h"
#include "support/run_engine.h"

namespace eb::test {
namespace {

using namespace engine;

const Device device = test_device().device;

TrainConfig small_config() {
  TrainConfig c;
  c.lr = 0.05f;
  c.duration = parse_duration("100st");
  c.optimizer.clip_norm = 5.f;
  return c;
}

Trainer small_trainer() {
  Model model(tiny_graph(), DType::f32, device);
  initialize(model, {}, 3);
  return Trainer(std::move(model), small_config(), 4);
}

std::vector<float> values_of(const Trainer& t) {
  const Tensor v = t.model().values().to(Device::cpu);
  return {v.data<float>(), v.data<float>() + v.size()};
}

TEST(DeviceStep, recorded_steps_have_the_bits_of_queued_ones) {
  Trainer recorded = small_trainer(), queued = small_trainer();
  queued.set_capture(false);
  for (Trainer* t : {&recorded, &queued})
    for (int i = 0; i < 6; ++i) t->advance(random_batch(t->model().graph(), i % 3 == 2 ? 3 : 5, 20 + i));
  EXPECT_EQ(values_of(recorded), values_of(queued));
  EXPECT_EQ(recorded.totals().loss, queued.totals().loss);
  EXPECT_EQ(recorded.totals().samples, 26);
  EXPECT_EQ(queued.capture().replays(), 0);
  EXPECT_EQ(recorded.capture().replays(), device == Device::cpu ? 0 : 4);
}

TEST(DeviceStep, a_bad_step_and_all_after_it_change_no_parameter) {
  Trainer t = small_trainer();
  const auto batch = [&](uint64_t seed) { return random_batch(t.model().graph(), 4, seed); };
  for (uint64_t seed : {1, 2, 3}) t.advance(batch(seed));
  const auto before = values_of(t);
  Batch bad = batch(4);
  bad.images.data<float>()[0] = NAN;
  t.advance(bad);
  t.advance(batch(5));
  EXPECT_EQ(t.totals().bad_step, 3);
  EXPECT_EQ(t.totals().samples, 12) << "only good steps count";
  EXPECT_EQ(values_of(t), before);
  t.reset_totals();
  EXPECT_FALSE(t.totals().bad_step);
}

TEST(DeviceStep, step_reports_a_bad_batch_and_can_go_on) {
  Trainer t = small_trainer();
  Batch bad = random_batch(t.model().graph(), 4, 1);
  std::fill_n(bad.images.data<float>(), bad.images.size(), INFINITY);
  const auto before = values_of(t);
  EXPECT_FALSE(t.step(bad).finite);
  EXPECT_EQ(t.steps(), 0);
  EXPECT_EQ(values_of(t), before);
}

// The loss of one batch, and its gradient by the tape.
double loss_of(Model& m, const Batch& b, std::vector<float>* gradient = nullptr) {
  const Tensor logits = m.forward(b.images.to(device), Mode::train);
  const LossResult loss = softmax_cross_entropy(logits, b.labels.to(device), 0.f);
  if (gradient) {
    backward(loss.loss);
    const Tensor g = m.gradients().to(Device::cpu);
    gradient->assign(g.data<float>(), g.data<float>() + g.size());
  }
  return loss.value();
}

// Along the gradient, central differences of the loss are its squared 2-norm.
TEST(DeviceGradient, is_the_slope_of_the_loss) {
  Model m(tiny_graph(), DType::f32, device);
  initialize(m, {}, 5);
  const Batch b = random_batch(m.graph(), 4, 11);
  std::vector<float> gradient;
  loss_of(m, b, &gradient);
  const Tensor values = m.values().to(Device::cpu);
  const std::vector<float> at(values.data<float>(), values.data<float>() + values.size());
  double slope = 0, largest = 0;
  for (float g : gradient) slope += double{g} * g, largest = std::max(largest, double{std::abs(g)});
  const double step = 2e-3 / std::sqrt(slope);
  const auto loss_at = [&](double t) {
    for (size_t i = 0; i < at.size(); ++i)
      values.data<float>()[i] = static_cast<float>(at[i] + t * gradient[i]);
    m.values().copy_from(values);
    m.values_changed();
    return loss_of(m, b);
  };
  const double difference = (loss_at(step) - loss_at(-step)) / (2 * step);
  EXPECT_GT(largest, 0);
  EXPECT_NEAR(difference / slope, 1, 0.03);
}

// As one comparable value; images as the bytes they are.
struct Read {
  std::vector<int64_t> ids;
  std::vector<int32_t> labels;
  std::vector<uint8_t> images;
  bool operator==(const Read&) const = default;
};

Read read(data::Loader& loader, int64_t epoch, int64_t first) {
  Read all;
  loader.start(epoch, first);
  for (Batch b; loader.next(b);) {
    all.ids.insert(all.ids.end(), b.ids.begin(), b.ids.end());
    const Tensor labels = b.labels.to(Device::cpu), images = b.images.to(Device::cpu);
    all.labels.insert(all.labels.end(), labels.data<int32_t>(), labels.data<int32_t>() + labels.size());
    all.images.insert(all.images.end(), images.data<uint8_t>(), images.data<uint8_t>() + images.bytes());
  }
  return all;
}

// The pixels of each batch travel beside the step before it; the host waits for nothing until the end.
TEST(DeviceLoader, a_training_on_batches_that_are_sent_has_the_bits_of_one_on_resident_data) {
  TempDir dir;
  write_image_folder(dir.path(), 7, 8, 8, 4);
  const auto trained = [&](int64_t cache_mib) {
    data::DataConfig c;
    c.kind = data::DataConfig::Kind::image_folder;
    c.root = dir.path();
    c.augment = {data::Augment::pad4_crop32, data::Augment::hflip};
    c.cache_mib = cache_mib;
    Trainer t = small_trainer();
    const data::Loaders loaders = data::make_loaders(c, 4, 5, t.model().graph(), DType::f32, {}, device);
    Batch b;
    for (int64_t epoch = 0; epoch < 3; ++epoch)
      for (loaders.train->start(epoch, 0); loaders.train->next(b);) t.advance(b);
    return values_of(t);
  };
  EXPECT_EQ(trained(0), trained(64));
}

// cache_mib 0: the pixels of each batch are sent; else the whole set lies on the device.
TEST(DeviceLoader, batches_are_the_hosts) {
  TempDir dir;
  write_image_folder(dir.path(), 7);
  spit(dir.path() / "train/a/100.jpg", "no picture");
  for (const int64_t cache_mib : {0, 64})
    for (const DType dtype : {DType::f32, DType::bf16}) {
      data::DataConfig c;
      c.kind = data::DataConfig::Kind::image_folder;
      c.root = dir.path();
      c.augment = {data::Augment::pad4_crop32, data::Augment::hflip};
      c.seed = 5;
      c.holdout = 3;
      c.cache_mib = cache_mib;
      c.skip_bad_samples = true;
      const auto open = [&](Device d) { return data::make_loaders(c, 4, 5, graph_of(3), dtype, {}, d); };
      const data::Loaders want = open(Device::cpu), got = open(device);
      for (const auto member : {&data::Loaders::train, &data::Loaders::holdout, &data::Loaders::test})
        for (const auto& [epoch, first] : {std::pair{0, 0}, {1, 0}, {1, 1}})
          EXPECT_EQ(read(*(got.*member), epoch, first), read(*(want.*member), epoch, first)) << epoch;
      EXPECT_EQ(got.train->bad_samples(), want.train->bad_samples());
      EXPECT_EQ(got.train->bad_samples().size(), 1u);
    }
}

}  // namespace
}  // namespace eb::test
