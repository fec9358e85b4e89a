// Training in block floating point on every device: values stay on their grid, recorded steps have the bits
// of queued ones, a bad step changes nothing, and a run that stopped goes on with the same bits.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "engine/bfp/block_arena.h"
#include "engine/bfp/block_conv2d.h"
#include "engine/bfp/quantize.h"
#include "engine/ops/elementwise.h"
#include "engine/train/trainer.h"
#include "support/devices.h"
#include "support/pruning_models.h"
#include "support/values.h"

namespace eb::test {
namespace {

using namespace engine;
using Block = BlockFormat::Block;

const Device device = test_device().device;

Precision eight_bits(Block weight = Block::dim0, Block activation = Block::dim0) {
  Precision p;
  p.quantized = true;
  p.weight.block = weight;
  p.activation.block = p.error.block = activation;
  p.backward_by_tensor = weight == Block::dim0;
  p.seed = 5;
  return p;
}

Trainer trainer(const Precision& precision, DType compute = DType::f32) {
  TrainConfig c;
  c.lr = 0.05f;
  c.duration = parse_duration("100st");
  c.optimizer.l1 = 1e-3f;
  Model model(tiny_graph(), compute, device);
  initialize(model, {}, 3);
  Trainer t(std::move(model), c, 4);
  t.set_precision(precision);
  return t;
}

Floats host(const Tensor& t) {
  const Tensor v = t.to(Device::cpu);
  return {v.data<float>(), v.data<float>() + v.size()};
}

void advance(Trainer& t, int steps, uint64_t seed = 20) {
  for (int i = 0; i < steps; ++i) t.advance(random_batch(t.model().graph(), 4, seed + t.steps()));
}

// Samples [first, last) of seven, rounded as that part of the batch.
Floats rounded(const Floats& all, const Shape& sample, int64_t first, int64_t last) {
  Shape shape = sample;
  shape.insert(shape.begin(), last - first);
  const int64_t size = element_count(sample);
  Tensor x = Tensor::zeros(shape, DType::f32);
  std::copy(all.begin() + first * size, all.begin() + last * size, x.data<float>());
  Rounding how{.kind = Quantize::Rounding::stochastic, .seed = 5, .tensor = 2};
  how.first_sample = first;
  return host(dense(quantize(x.to(device), {}, how)));
}

TEST(DeviceBlocks, a_part_of_a_batch_is_rounded_as_the_whole) {
  for (const Shape& sample : {Shape{3, 3, 5}, Shape{2, 2, 8}}) {
    const Floats x = to_floats(normal(7 * element_count(sample), 3));
    Floats parts = rounded(x, sample, 0, 3);
    for (const float v : rounded(x, sample, 3, 7)) parts.push_back(v);
    EXPECT_EQ(parts, rounded(x, sample, 0, 7));
  }
}

// Rounding once more, to the nearest, changes no number that has been rounded.
void expect_on_grid(const Model& m, const BlockArena& arena, const Tensor& x, const char* what) {
  const Tensor y = Tensor::zeros(x.shape(), DType::f32, device);
  arena.round(Quantize::Rounding::nearest, 0, {.x = x.data<float>(), .y = y.data<float>()});
  const Floats a = host(x), b = host(y);
  for (const Parameter& p : m.parameters())
    for (int64_t i = p.offset; i < p.offset + p.count; ++i) ASSERT_EQ(a[i], b[i]) << what << " " << p.name;
}

TEST(DeviceBlocks, values_and_momentum_stay_on_their_grid) {
  for (const Block block : {Block::dim0, Block::tensor}) {
    Trainer t = trainer(eight_bits(block));
    advance(t, 3);
    ASSERT_FALSE(t.totals().bad_step);
    const Model& m = t.model();
    expect_on_grid(m, m.blocks()->values, m.values(), "value");
    expect_on_grid(m, m.blocks()->momentum, m.momentum(), "momentum");
    const size_t first = 0;  // a convolution: its codes stand for the values
    const Tensor codes = dense(m.blocks()->codes_of(m.arenas(), first)).to(Device::cpu);
    const Floats w = m.host_value(m.parameters()[first]);
    for (size_t i = 0; i < w.size(); ++i) ASSERT_EQ(codes.data<float>()[i], w[i]);
  }
}

TEST(DeviceBlocks, recorded_steps_have_the_bits_of_queued_ones) {
  Trainer recorded = trainer(eight_bits()), queued = trainer(eight_bits());
  queued.set_capture(false);
  for (Trainer* t : {&recorded, &queued}) advance(*t, 5);
  EXPECT_EQ(host(recorded.model().values()), host(queued.model().values()));
  EXPECT_EQ(host(recorded.model().momentum()), host(queued.model().momentum()));
  EXPECT_EQ(recorded.capture().replays(), device == Device::cpu ? 0 : 4);
}

// Without fusion nobody tells the quantiser the largest magnitudes, and it finds them itself.
TEST(DeviceBlocks, steps_have_the_bits_of_unfused_ones) {
  Trainer fused = trainer(eight_bits()), plain = trainer(eight_bits());
  plain.model().set_fused(false);
  for (Trainer* t : {&fused, &plain}) advance(*t, 3);
  ASSERT_FALSE(fused.totals().bad_step);
  EXPECT_EQ(host(fused.model().values()), host(plain.model().values()));
  EXPECT_EQ(host(fused.model().momentum()), host(plain.model().momentum()));
  const Batch batch = random_batch(fused.model().graph(), 4, 3);
  EXPECT_EQ(host(fused.model().forward(batch.images.to(device), Mode::infer)),
            host(plain.model().forward(batch.images.to(device), Mode::infer)));
}

TEST(DeviceBlocks, each_step_rounds_by_its_own_number) {
  Trainer a = trainer(eight_bits()), b = trainer(eight_bits());
  b.restore(7, 0);
  for (Trainer* t : {&a, &b}) t->advance(random_batch(t->model().graph(), 4, 1));
  EXPECT_NE(host(a.model().values()), host(b.model().values()));
}

TEST(DeviceBlocks, a_nan_stops_the_run_and_changes_nothing) {
  for (const bool conv_inputs : {true, false}) {
    Precision p = eight_bits();
    p.conv_inputs = conv_inputs;
    Trainer t = trainer(p);
    advance(t, 2);
    const Floats values = host(t.model().values()), momentum = host(t.model().momentum());
    Batch bad = random_batch(t.model().graph(), 4, 9);
    bad.images.data<float>()[17] = std::nanf("");
    t.advance(bad);
    advance(t, 1);
    EXPECT_EQ(t.totals().bad_step, std::optional<int64_t>(2));
    EXPECT_EQ(host(t.model().values()), values);
    EXPECT_EQ(host(t.model().momentum()), momentum);
  }
}

TEST(DeviceBlocks, full_precision_again_after_the_search) {
  Trainer t = trainer(eight_bits());
  advance(t, 2);
  const Floats before = host(t.model().values());
  t.set_precision({});
  EXPECT_EQ(host(t.model().values()), before);
  advance(t, 1);
  EXPECT_EQ(t.model().blocks(), nullptr);
  EXPECT_FALSE(t.totals().bad_step);
}

TEST(DeviceBlocks, bf16_between_the_convolutions) {
  Trainer t = trainer(eight_bits(), DType::bf16);
  for (uint64_t seed : {1, 2}) {
    Batch batch = random_batch(t.model().graph(), 4, seed);
    batch.images = cast(batch.images, DType::bf16);
    t.advance(batch);
  }
  EXPECT_FALSE(t.totals().bad_step);
  expect_on_grid(t.model(), t.model().blocks()->values, t.model().values(), "value");
}

// int8 x int8 -> int32 has no rounding, and an fp32 sum of a few hundred such products has none either.
TEST(DeviceBlocks, the_integer_path_gives_what_the_exact_one_gives) {
  Floats logits[2];
  for (const bool integer : {true, false}) {
    Precision p = eight_bits(Block::tensor);
    p.integer = integer;
    Trainer t = trainer(p);
    const Batch batch = random_batch(t.model().graph(), 4, 3);
    logits[integer] = host(t.model().forward(batch.images.to(device), Mode::infer));
  }
  for (size_t i = 0; i < logits[0].size(); ++i) EXPECT_NEAR(logits[0][i], logits[1][i], 1e-5);
}

// Codes are integers, sums of their products too: a convolution of one input gives the CPU's codes.
TEST(DeviceBlocks, a_convolution_leaves_the_codes_of_the_cpu) {
  const Batch batch = random_batch(tiny_graph(), 4, 3);
  const auto codes = [&](Device on) {
    Model model(tiny_graph(), DType::f32, on);
    initialize(model, {}, 3);
    model.set_precision(eight_bits(Block::tensor));
    const Node& n = model.graph().nodes[model.parameters()[0].node];
    Conv2dWeights weights;
    weights.w = Tensor::view(model.value(model.parameters()[0]), model.parameters()[0].shape, DType::f32, on);
    weights.codes = model.blocks()->codes_of(model.arenas(), 0);
    BlockConv2dOptions o;
    o.conv = {{n.stride[0], n.stride[1]}, {n.pad[0], n.pad[1]}, n.groups};
    const Tensor x = quantize(batch.images.to(on), o.activation, {});
    const Tensor y = block_conv2d(x, weights, o).to(Device::cpu);
    return std::vector<int8_t>(y.data<int8_t>(), y.data<int8_t>() + y.size());
  };
  EXPECT_EQ(codes(device), codes(Device::cpu));
}

// One op a node leaves the same tensors to be rounded as the fused plan.
TEST(DeviceBlocks, fused_or_not_the_numbers_agree) {
  Floats logits[2];
  for (const bool fused : {true, false}) {
    Trainer t = trainer(eight_bits());
    t.model().set_fused(fused);
    const Batch batch = random_batch(t.model().graph(), 4, 3);
    logits[fused] = host(t.model().forward(batch.images.to(device), Mode::infer));
  }
  for (size_t i = 0; i < logits[0].size(); ++i) EXPECT_NEAR(logits[0][i], logits[1][i], 1e-2);
}

}  // namespace
}  // namespace eb::test
