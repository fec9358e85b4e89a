// The block quantiser against an independent one that follows QPyTorch's floating-point steps
// (docs/method.md 5.3), on its edge cases and on random blocks; its random numbers; the way back.
#include "kernels/quantize.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <set>

#include "support/devices.h"
#include "support/values.h"

namespace eb::test {
namespace {

using kernels::Quantize;
using Params = Quantize::Params;
using Rounding = Quantize::Rounding;

const Quantize& kernel = kernels::quantize(test_device().device);
constexpr uint32_t test_step = 3;

struct Quantized {
  std::vector<int8_t> codes;
  std::vector<int16_t> exponents;
  bool operator==(const Quantized&) const = default;
};

Quantized quantize(const Params& p, const Floats& x, uint32_t step = test_step) {
  Quantized q{std::vector<int8_t>(x.size(), 99), std::vector<int16_t>(p.blocks, 99)};
  Values v(p.dtype, static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); ++i) v.set(static_cast<int64_t>(i), x[i]);
  {
    Staged on;
    kernel.quantize(p, {.x = on(std::as_const(v)),
                        .step = on(step),
                        .codes = on(q.codes),
                        .exponents = on(q.exponents),
                        .workspace = on.workspace(kernel.workspace_bytes(p))});
  }
  return q;
}

Floats dequantize(const Params& p, const Quantized& q) {
  Floats y(q.codes.size());
  {
    Staged on;
    kernel.dequantize(p, on(q.codes), on(q.exponents), on(y));
  }
  return y;
}

Floats round_trip(const Params& p, const Floats& x) {
  return dequantize(p, quantize(p, x));
}

// QPyTorch's steps in floats: rebase by 6 * 2^E, add r below the kept bits, cut, rebase back, clip.
float reference(float x, float largest, int bits, uint32_t r) {
  if (largest == 0) return 0;
  const float unit = std::ldexp(1.f, std::ilogb(largest)), base = 6 * unit;
  float t = x + base;
  uint32_t word;
  std::memcpy(&word, &t, sizeof word);
  word = (word + r) & ~((1u << kernels::rounding_bits(bits)) - 1);
  std::memcpy(&t, &word, sizeof word);
  const float y = t - base;
  return std::abs(y) >= 2 * unit ? std::copysign((2 - std::ldexp(1.f, 2 - bits)) * unit, y) : y;
}

Floats reference(const Params& p, const Floats& x) {
  Floats y;
  for (int64_t b = 0; b < p.blocks; ++b) {
    float largest = 0;
    for (int64_t i = 0; i < p.block; ++i) largest = std::max(largest, std::abs(x[b * p.block + i]));
    for (int64_t i = b * p.block; i < (b + 1) * p.block; ++i) {
      const auto draw = kernels::rounding_draw(p.seed, test_step, p.tensor,
                                               (p.first + i) / kernels::elements_per_draw(p.bits));
      const int32_t r = p.rounding == Rounding::stochastic ? kernels::rounding_of(p.bits, draw, p.first + i)
                                                           : 1 << (kernels::rounding_bits(p.bits) - 1);
      y.push_back(reference(x[i], largest, p.bits, static_cast<uint32_t>(r)));
    }
  }
  return y;
}

Params params(int64_t blocks, int64_t block, int bits, Rounding rounding) {
  Params p{.blocks = blocks, .block = block, .bits = bits, .rounding = rounding};
  p.seed = 7, p.tensor = 5;
  return p;
}

// Magnitudes over many powers of two, so that small numbers meet large exponents.
Floats wild(int64_t n, uint64_t seed) {
  Floats x = to_floats(normal(n, seed));
  for (int64_t i = 0; i < n; ++i) x[i] = std::ldexp(x[i], static_cast<int>(i * 7 % 41) - 20);
  return x;
}

TEST(Quantize, is_the_reference_on_random_blocks) {
  const bool emulated = test_device().emulated();
  for (const Rounding rounding : {Rounding::nearest, Rounding::stochastic})
    for (const int bits : {8, 7, 4, 2})
      for (const auto& [blocks, block] : {std::pair<int64_t, int64_t>{emulated ? 40 : 250000, 16},
                                          {37, 27},
                                          {501, 1},
                                          {1, emulated ? 5000 : 200000}}) {
        const Params p = params(blocks, block, bits, rounding);
        const Floats x = wild(blocks * block, static_cast<uint64_t>(bits + block));
        EXPECT_EQ(round_trip(p, x), reference(p, x)) << bits << " bits, " << blocks << " x " << block;
      }
}

// Where draws begin in the middle of a run of eight too.
TEST(Quantize, random_bits_are_counted_from_the_first) {
  for (const int bits : {8, 6})
    for (const int64_t block : {16, 27, 1})
      for (const int64_t first : {1, 4, 8, 13, 1 << 30}) {
        Params p = params(300 / block, block, bits, Rounding::stochastic);
        p.first = first;
        const Floats x = wild(p.blocks * block, 8);
        EXPECT_EQ(round_trip(p, x), reference(p, x)) << bits << " bits, " << block << " from " << first;
        p.rounding = Rounding::nearest;
        EXPECT_EQ(round_trip(p, x), reference(p, x));
      }
}

// Seven samples, a block each, in parts of three, two and two.
TEST(Quantize, parts_of_a_tensor_are_rounded_as_the_whole) {
  for (const kernels::DType dtype : {kernels::DType::f32, kernels::DType::bf16})
    for (const int bits : {8, 6})
      for (const int64_t block : {1, 5, 24, 27, 20001, 70003}) {
        if (test_device().emulated() && block > 20001) continue;
        Params p = params(7, block, bits, Rounding::stochastic);
        p.dtype = dtype;
        const Floats x = wild(7 * block, 6);
        Quantized parts, from_zero;
        for (const auto& [first, last] : {std::pair{0, 3}, {3, 5}, {5, 7}}) {
          const Floats some(x.begin() + first * block, x.begin() + last * block);
          Params part = p;
          part.blocks = last - first;
          const auto add = [&](Quantized& to, const Quantized& q) {
            to.codes.insert(to.codes.end(), q.codes.begin(), q.codes.end());
            to.exponents.insert(to.exponents.end(), q.exponents.begin(), q.exponents.end());
          };
          add(from_zero, quantize(part, some));
          part.first = first * block;
          add(parts, quantize(part, some));
        }
        const Quantized whole = quantize(p, x);
        EXPECT_EQ(parts, whole) << bits << " bits, blocks of " << block;
        if (block < 20) continue;  // few codes may be the same by chance
        EXPECT_NE(from_zero.codes, whole.codes) << "each part with the first's bits";
      }
}

TEST(Quantize, knows_the_edges) {
  const Params p = params(1, 8, 8, Rounding::nearest);
  // E = 0, delta = 1/64: ties upwards, clipped at 127, below half a step zero.
  const Floats x{1.999f, -1.999f, 0.5f / 64, -0.5f / 64, 1.5f / 64, -1.5f / 64, 0.49f / 64, 1.f};
  EXPECT_EQ(quantize(p, x).codes, (std::vector<int8_t>{127, -127, 1, 0, 2, -1, 0, 64}));
  EXPECT_EQ(quantize(p, x).exponents[0], 0);
  EXPECT_EQ(round_trip(p, x)[0], 127.f / 64);
  const Floats zeros(8, 0.f);
  EXPECT_EQ(quantize(p, zeros).exponents[0], kernels::zero_block);
  EXPECT_EQ(round_trip(p, zeros), zeros);
  const Floats powers{4, 2, 1, 0.5f, 0.25f, 0.125f, -4, -2};
  EXPECT_EQ(round_trip(p, powers), powers);
}

TEST(Quantize, subnormal_numbers) {
  const Params p = params(1, 8, 8, Rounding::nearest);
  const float least = std::ldexp(1.f, -126), tiny = std::ldexp(1.f, -140);
  EXPECT_EQ(quantize(p, Floats(8, tiny)).exponents[0], kernels::zero_block);
  const Floats x{least, tiny, 1.5f * least, -least, least / 64, -least / 64, 0, least / 2};
  EXPECT_EQ(round_trip(p, x),
            (Floats{least, 0, 1.5f * least, -least, least / 64, -least / 64, 0, least / 2}));
}

TEST(Quantize, bad_numbers_spoil_their_block_alone) {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    Floats x(24, 1.f);
    x[10] = bad;
    const Floats y = round_trip(params(3, 8, 8, Rounding::nearest), x);
    for (int i = 0; i < 24; ++i) EXPECT_EQ(std::isnan(y[i]), i / 8 == 1) << i;
  }
}

// Mean error over n draws of one number is below 4.9 standard deviations (a false alarm in a million) of
// delta / 2.
TEST(Quantize, stochastic_rounding_is_unbiased) {
  const int64_t n = test_device().emulated() ? 8192 : 262144;
  for (const float share : {0.1f, 0.37f, 0.5f, 0.9f})
    for (const float sign : {1.f, -1.f}) {
      Params p = params(1, n, 8, Rounding::stochastic);
      const float value = sign * (20 + share) / 64;
      Floats x(n, value);
      x[0] = 1;  // E = 0
      const Quantized q = quantize(p, x);
      double sum = 0;
      for (int64_t i = 1; i < n; ++i) sum += q.codes[i];
      EXPECT_NEAR(sum / static_cast<double>(n - 1), sign * (20 + share), 4.9 * 0.5 / std::sqrt(n)) << share;
      EXPECT_NE(quantize(p, x, test_step + 1).codes, q.codes) << "another step, other bits";
      p.tensor += 1;
      EXPECT_NE(quantize(p, x).codes, q.codes) << "another tensor, other bits";
    }
}

// Eight codes share a draw, 15 bits each, none twice.
TEST(Quantize, uses_each_part_of_a_draw_once) {
  const kernels::Philox4 draw{0x00010002, 0x00030004, 0x00050006, 0x00070008};
  std::set<int32_t> parts;
  for (int64_t i = 0; i < 8; ++i) parts.insert(kernels::rounding_of(8, draw, i));
  EXPECT_EQ(parts, (std::set<int32_t>{1, 2, 3, 4, 5, 6, 7, 8}));
}

// A block's maximum that is known is not looked for: one that is twice too large halves the codes.
TEST(Quantize, takes_the_largest_as_given) {
  for (const int64_t block : {24, 27, 70000}) {
    const Params p = params(2, block, 8, Rounding::stochastic);
    const Floats x = wild(2 * block, 4);
    std::vector<uint32_t> largest(2);
    for (int64_t i = 0; i < 2 * block; ++i)
      largest[i / block] = std::max(largest[i / block], std::bit_cast<uint32_t>(std::abs(x[i])));
    const auto with = [&](const std::vector<uint32_t>& given) {
      Quantized q{std::vector<int8_t>(x.size()), std::vector<int16_t>(2)};
      uint32_t step = test_step;
      {
        Staged on;
        kernel.quantize(p, {.x = on(x),
                            .step = on(step),
                            .largest = on(given),
                            .codes = on(q.codes),
                            .exponents = on(q.exponents),
                            .workspace = on.workspace(kernel.workspace_bytes(p))});
      }
      return q;
    };
    EXPECT_EQ(with(largest), quantize(p, x));
    const int16_t before = with(largest).exponents[1];
    largest[1] += 1u << 23;
    EXPECT_EQ(with(largest).exponents[1], before + 1);
  }
}

// By hand: E = 0, delta = 1/64. Five kinds of numbers, in a block of a vector, one of odd size, a large one;
// a block that is all subnormal is flushed, a bad one is not counted.
TEST(Quantize, counts_what_rounding_did) {
  for (const kernels::DType dtype : {kernels::DType::f32, kernels::DType::bf16})
    for (const int64_t block : {8, 15, 40000}) {
      Params p = params(4, block, 8, Rounding::nearest);
      p.dtype = dtype;
      Values x(dtype, 4 * block);
      for (int64_t i = 0; i < 4 * block; ++i) x.set(i, 0);
      const Floats some{1.9921875f, -1.9921875f, 1, 0, -0.f, 1.f / 256, -1.f / 256, 1};
      for (int64_t i = 0; i < 8; ++i) x.set(block - 8 + i, some[i]);
      x.set(block, 1e-40), x.set(2 * block - 1, -1e-40);  // a block without a code
      x.set(2 * block, NAN), x.set(2 * block + 1, 1);
      std::vector<int8_t> codes(4 * block);
      std::vector<int16_t> exponents(4);
      Quantize::Counts counts{10, 20};
      {
        Staged on;
        kernel.quantize(p, {.x = on(std::as_const(x)),
                            .codes = on(codes),
                            .exponents = on(exponents),
                            .counts = on(counts),
                            .workspace = on.workspace(kernel.workspace_bytes(p))});
      }
      EXPECT_EQ(counts.saturated, 11u) << "a negative tie goes up, to the last code; block " << block;
      EXPECT_EQ(counts.flushed, 24u) << block;
    }
}

// Exponents at both ends of what a float has, against the definition.
TEST(Quantize, numbers_of_any_size) {
  for (const Rounding rounding : {Rounding::nearest, Rounding::stochastic})
    for (int exponent = -126; exponent <= 127; exponent += exponent < -120 || exponent >= 120 ? 1 : 16) {
      const Params p = params(1, 200, 8, rounding);
      Floats x = wild(p.block, 9);
      for (float& v : x) v = std::ldexp(v, exponent - 23);
      x[0] = std::ldexp(1.75f, exponent), x[1] = std::ldexp(-1.9999999f, exponent);
      const Quantized q = quantize(p, x);
      ASSERT_EQ(q.exponents[0], exponent);
      for (int64_t i = 0; i < p.block; ++i) {
        const auto draw = kernels::rounding_draw(p.seed, test_step, p.tensor, i / 8);
        const int32_t r = rounding == Rounding::nearest ? 1 << 14 : kernels::rounding_of(8, draw, i);
        ASSERT_EQ(q.codes[i], kernels::block_code(std::bit_cast<uint32_t>(x[i]), exponent, 8, r))
            << x[i] << " with exponent " << exponent;
      }
    }
}

TEST(Quantize, bf16_numbers_are_the_same_numbers) {
  Floats x = wild(800, 3);
  for (float& v : x) v = kernels::bf16(v);
  Params p = params(10, 80, 8, Rounding::stochastic);
  const Quantized as_floats = quantize(p, x);
  p.dtype = kernels::DType::bf16;
  EXPECT_EQ(quantize(p, x), as_floats);
}

TEST(Quantize, back_to_bf16) {
  for (const int64_t block : {80, 27}) {
    Params p = params(10, block, 8, Rounding::nearest);
    const Quantized q = quantize(p, wild(10 * block, 3));
    p.dtype = kernels::DType::bf16;
    Values y(p.dtype, 10 * block);
    {
      Staged on;
      kernel.dequantize(p, on(q.codes), on(q.exponents), on(y));
    }
    p.dtype = kernels::DType::f32;
    EXPECT_EQ(to_floats(y.get()), dequantize(p, q)) << "eight bits are exact in bf16";
  }
}

}  // namespace
}  // namespace eb::test
