// Rounding an arena: every tensor as block_code says one number at a time, which quantize_test.cpp holds
// against QPyTorch's steps.
#include "kernels/round_blocks.h"

#include <bit>
#include <cmath>

#include "support/devices.h"
#include "support/values.h"

namespace eb::test {
namespace {

using kernels::Quantize;
using kernels::RoundBlocks;
using Rounding = Quantize::Rounding;
using Segments = std::vector<RoundBlocks::Segment>;

const RoundBlocks& kernel = kernels::round_blocks(test_device().device);
constexpr uint32_t test_step = 3;
constexpr int8_t untouched = -128;  // no code is

struct Arena {
  Segments segments;
  Floats x;
  int64_t blocks = 0;

  // Tensors follow each other with `hole` elements between.
  void add(int64_t n_blocks, int64_t block, int64_t hole = 0) {
    const auto tensor = static_cast<uint32_t>(segments.size() + 11);
    segments.push_back({static_cast<int64_t>(x.size()), n_blocks, block, blocks, tensor});
    x.resize(x.size() + n_blocks * block + hole);
    blocks += n_blocks;
  }
  // Magnitudes over many powers of two, some zeros.
  void fill() {
    const Doubles v = normal(static_cast<int64_t>(x.size()), 5);
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = i % 13 == 0 ? 0.f : std::ldexp(static_cast<float>(v[i]), static_cast<int>(i * 7 % 41) - 20);
  }
};

struct Rounded {
  Floats y;
  std::vector<int8_t> codes;
  std::vector<int16_t> exponents;
  std::vector<uint64_t> counts;  // saturated and flushed of each segment
  bool operator==(const Rounded&) const = default;
};

Rounded nothing(const Arena& a) {
  return {Floats(a.x.size(), 77.f), std::vector<int8_t>(a.x.size(), untouched),
          std::vector<int16_t>(a.blocks, untouched), std::vector<uint64_t>(2 * a.segments.size(), 1000)};
}

// One number at a time.
Rounded reference(const RoundBlocks::Params& p, const Arena& a) {
  Rounded r = nothing(a);
  for (size_t n = 0; n < a.segments.size(); ++n) {
    const auto& s = a.segments[n];
    for (int64_t b = 0; b < s.blocks; ++b) {
      const float* x = &a.x[s.offset + b * s.block];
      uint32_t largest = 0;
      for (int64_t i = 0; i < s.block; ++i)
        largest = std::max(largest, std::bit_cast<uint32_t>(x[i]) & 0x7fffffffu);
      const int16_t e = kernels::block_exponent(largest);
      r.exponents[s.first_block + b] = e;
      for (int64_t i = 0; i < s.block; ++i) {
        const int64_t at = b * s.block + i;
        const auto draw =
            kernels::rounding_draw(p.seed, test_step, s.tensor, at / kernels::elements_per_draw(p.bits));
        const int32_t random = p.rounding == Rounding::stochastic ? kernels::rounding_of(p.bits, draw, at)
                                                                  : 1 << (kernels::rounding_bits(p.bits) - 1);
        const bool bad = e == kernels::bad_block, encoded = e != kernels::zero_block && !bad;
        const int32_t code =
            encoded ? kernels::block_code(std::bit_cast<uint32_t>(x[i]), e, p.bits, random) : 0;
        r.codes[s.offset + at] = static_cast<int8_t>(code);
        r.y[s.offset + at] =
            bad ? NAN : static_cast<float>(code) * std::bit_cast<float>(kernels::block_scale(e, p.bits));
        const double exact = std::nearbyint(std::ldexp(x[i], 21 - e));  // in steps of the random numbers
        const double unclamped =
            std::floor((exact + random) / std::ldexp(1., kernels::rounding_bits(p.bits)));
        r.counts[2 * n] += encoded && unclamped != code;
        r.counts[2 * n + 1] += !bad && code == 0 && x[i] != 0;
      }
    }
  }
  return r;
}

struct Given {
  bool y = true, codes = true, counts = true, in_place = false;
  int32_t* allow = nullptr;
};

Rounded round(const RoundBlocks::Params& p, const Arena& a, const Given& given = {}) {
  Rounded r = nothing(a);
  if (given.in_place) r.y = a.x;
  uint32_t step = test_step;
  {
    Staged on;
    const float* x = given.in_place ? on(r.y) : on(a.x);
    auto* counts = given.counts ? reinterpret_cast<Quantize::Counts*>(on(r.counts)) : nullptr;
    kernel.round(p, {.segments = a.segments.data(),
                     .n_segments = static_cast<int64_t>(a.segments.size()),
                     .allow = given.allow ? on(*given.allow) : nullptr,
                     .step = on(step),
                     .x = x,
                     .y = given.y ? on(r.y) : nullptr,
                     .codes = given.codes ? on(r.codes) : nullptr,
                     .exponents = on(r.exponents),
                     .counts = counts,
                     .workspace = on.workspace(kernel.workspace_bytes(
                         a.segments.data(), static_cast<int64_t>(a.segments.size())))});
  }
  return r;
}

// NaN equals NaN.
std::vector<uint32_t> bits_of(const Floats& v) {
  std::vector<uint32_t> bits;
  for (const float x : v) bits.push_back(std::isnan(x) ? 0x7fc00000u : std::bit_cast<uint32_t>(x));
  return bits;
}

// All block sizes of a model, and sizes that no vector divides; with holes that must stay as they are.
Arena mixed() {
  const int64_t large = test_device().emulated() ? 20000 : 300000;
  Arena a;
  a.add(70, 1);
  a.add(5, 27, 3);
  a.add(4, 144);
  a.add(1, large, 1);
  a.add(0, 9);
  a.add(2, large / 2 + 7);
  a.add(33, 8);
  a.add(1, 1);
  a.add(20, 2 * 577);
  a.fill();
  return a;
}

class RoundBlocksTest : public testing::TestWithParam<std::tuple<int, Rounding>> {
 protected:
  const RoundBlocks::Params p{std::get<0>(GetParam()), std::get<1>(GetParam()), 7};
  const Arena arena = mixed();
};

TEST_P(RoundBlocksTest, RoundsEveryTensorWithItsOwnBlocks) {
  const Rounded got = round(p, arena), want = reference(p, arena);
  EXPECT_EQ(got.exponents, want.exponents);
  EXPECT_EQ(got.codes, want.codes);
  EXPECT_EQ(bits_of(got.y), bits_of(want.y));
  EXPECT_EQ(got.counts, want.counts);
}

TEST_P(RoundBlocksTest, WhatIsNotWantedChangesNothing) {
  const Rounded all = round(p, arena);
  const Rounded no_y = round(p, arena, {.y = false}), no_codes = round(p, arena, {.codes = false}),
                no_counts = round(p, arena, {.counts = false});
  EXPECT_EQ(no_y.codes, all.codes);
  EXPECT_EQ(no_y.counts, all.counts);
  EXPECT_EQ(no_y.y[0], 77.f);
  EXPECT_EQ(no_codes.y, all.y);
  EXPECT_EQ(no_codes.counts, all.counts);
  EXPECT_EQ(no_codes.codes[0], untouched);
  EXPECT_EQ(no_counts.y, all.y);
  EXPECT_EQ(no_counts.codes, all.codes);
  EXPECT_EQ(no_counts.counts[0], 1000u);
}

TEST_P(RoundBlocksTest, InPlace) {
  Rounded want = round(p, arena);
  for (size_t i = 0; i < want.y.size(); ++i)
    if (want.codes[i] == untouched) want.y[i] = arena.x[i];  // holes
  EXPECT_EQ(round(p, arena, {.in_place = true}).y, want.y);
}

TEST_P(RoundBlocksTest, ForbiddenWritesNothing) {
  int32_t allow = 0;
  EXPECT_EQ(round(p, arena, {.allow = &allow}), nothing(arena));
  allow = 1;
  EXPECT_EQ(round(p, arena, {.allow = &allow}), round(p, arena));
}

TEST_P(RoundBlocksTest, SameBitsEverywhere) {
  expect_same_bits_everywhere(test_device(), [&] { return round(p, arena); });
}

// A tensor is rounded as quantize does it.
TEST_P(RoundBlocksTest, SameCodesAsQuantize) {
  const Rounded rounded = round(p, arena);
  for (size_t n = 0; n < arena.segments.size(); ++n) {
    const auto& s = arena.segments[n];
    const Floats x(&arena.x[0] + s.offset, &arena.x[0] + s.offset + s.blocks * s.block);
    std::vector<int8_t> codes(x.size());
    std::vector<int16_t> exponents(s.blocks);
    Quantize::Counts counts{1000, 1000};
    uint32_t step = test_step;
    const Quantize::Params q{.blocks = s.blocks,
                             .block = s.block,
                             .bits = p.bits,
                             .rounding = p.rounding,
                             .seed = p.seed,
                             .tensor = s.tensor};
    {
      Staged on;
      const Quantize& quantize = kernels::quantize(test_device().device);
      quantize.quantize(q, {.x = on(x),
                            .step = on(step),
                            .codes = on(codes),
                            .exponents = on(exponents),
                            .counts = on(counts),
                            .workspace = on.workspace(quantize.workspace_bytes(q))});
    }
    for (int64_t i = 0; i < s.blocks * s.block; ++i) ASSERT_EQ(codes[i], rounded.codes[s.offset + i]) << n;
    for (int64_t b = 0; b < s.blocks && s.block; ++b)
      ASSERT_EQ(exponents[b], rounded.exponents[s.first_block + b]) << n;
    EXPECT_EQ(counts.saturated, rounded.counts[2 * n]) << n;
    EXPECT_EQ(counts.flushed, rounded.counts[2 * n + 1]) << n;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, RoundBlocksTest,
                         testing::Combine(testing::Values(8, 5),
                                          testing::Values(Rounding::nearest, Rounding::stochastic)));

// More tensors than one table of a launch holds.
TEST(RoundBlocks, ManyTensors) {
  Arena a;
  for (int i = 0; i < 330; ++i) a.add(1 + i % 3, i % 5 == 0 ? 1 : 1 + i % 40, i % 2);
  a.fill();
  const RoundBlocks::Params p{8, Rounding::stochastic, 7};
  EXPECT_EQ(round(p, a), reference(p, a));
}

TEST(RoundBlocks, NothingToRound) {
  const Arena a;
  EXPECT_EQ(round({}, a), nothing(a));
}

TEST(RoundBlocks, BadNumbersSpoilTheirBlockAlone) {
  for (const float bad : {NAN, INFINITY, -INFINITY})
    for (const int64_t block : {1, 6, 8, 40000}) {
      Arena a;
      a.add(3, block);
      a.x.assign(a.x.size(), 1.f);
      a.x[block] = bad;
      const Rounded r = round({}, a);
      for (int64_t i = 0; i < 3 * block; ++i) ASSERT_EQ(std::isnan(r.y[i]), i / block == 1) << i;
      EXPECT_EQ(r.exponents[1], kernels::bad_block);
      EXPECT_EQ(r.counts, (std::vector<uint64_t>{1000, 1000}));
    }
}

}  // namespace
}  // namespace eb::test
