// How the emulated tensor cores round, and that the sums of our f32 products do not drift under it.
#include "kernels/emulated/tensor_core.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

using eb::kernels::emulated::TensorCore;

namespace {

float sum_of(const TensorCore& core, float start, const std::vector<float>& a, const std::vector<float>& b) {
  float d = start;
  core.multiply_add(&d, a.data(), b.data(), 1, static_cast<int>(a.size()), 1);
  return d;
}

float to_tf32(float x) {  // to nearest, ties away
  return std::bit_cast<float>((std::bit_cast<uint32_t>(x) + 0x1000u) & ~0x1fffu);
}

struct Errors {
  double into_accumulator = 0, from_zero = 0;  // largest, in units of 2^-21 of the sum of magnitudes
};

// Sums of k products of floats, each as three of tf32, eight to a multiply: all into the accumulator, or each
// step from zero and then added.
Errors errors_of(const TensorCore& core, int k) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  Errors worst;
  for (int trial = 0; trial < 200; ++trial) {
    double exact = 0, magnitudes = 0;
    float drifting = 0, ours = 0;
    for (int at = 0; at < k; at += 8) {
      std::vector<float> high_a(8), low_a(8), high_b(8), low_b(8);
      for (int i = 0; i < 8; ++i) {
        const float a = normal(random), b = normal(random);
        high_a[i] = to_tf32(a), low_a[i] = to_tf32(a - high_a[i]);
        high_b[i] = to_tf32(b), low_b[i] = to_tf32(b - high_b[i]);
        exact += double{a} * b, magnitudes += std::abs(double{a} * b);
      }
      const auto three = [&](float start) {
        const float first = sum_of(core, start, low_a, high_b);
        return sum_of(core, sum_of(core, first, high_a, low_b), high_a, high_b);
      };
      drifting = three(drifting);
      ours += three(0);
    }
    const double unit = 0x1p-21 * magnitudes;
    worst.into_accumulator = std::max(worst.into_accumulator, std::abs(drifting - exact) / unit);
    worst.from_zero = std::max(worst.from_zero, std::abs(ours - exact) / unit);
  }
  return worst;
}

}  // namespace

// What the first minute on a card is to show: 1 + 1.5 * 2^-24 is 1 + 2^-23 to nearest, and 1 here.
TEST(TensorCore, rounds_toward_zero) {
  const std::vector<float> one = {1, 0, 0, 0, 0, 0, 0, 0}, small = {3 * 0x1p-25f, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(sum_of(TensorCore::hopper(8), 1, one, small), 1.f);
  EXPECT_EQ(sum_of(TensorCore::hopper(8), -1, {-1, 0, 0, 0, 0, 0, 0, 0}, small), -1.f);
  EXPECT_EQ(sum_of(TensorCore::hopper(8), 1, one, {0x1p-23f, 0, 0, 0, 0, 0, 0, 0}), 1 + 0x1p-23f);
}

TEST(TensorCore, cuts_every_term_behind_the_largest_exponent) {
  const std::vector<float> ones(8, 1);
  const std::vector<float> cancel = {1, -1, 0x1p-25f, 0x1p-26f, 0, 0, 0, 0};
  EXPECT_EQ(sum_of(TensorCore::hopper(8), 0, ones, cancel), 0x1p-25f) << "2^-26 is cut";
  EXPECT_EQ(sum_of(TensorCore{24, 8}, 0, ones, cancel), 0) << "and 2^-25";
  EXPECT_EQ(sum_of(TensorCore::ampere(8), 0, ones, {1, -1, 0, 0, 0x1p-25f, 0x1p-26f, 0, 0}),
            0x1p-25f + 0x1p-26f)
      << "the second half is added when the first has cancelled";
  EXPECT_EQ(sum_of(TensorCore::hopper(8), 0, ones, {0x1p-126f, 0x1p-125f, 0, 0, 0, 0, 0, 0}), 3 * 0x1p-126f);
  EXPECT_EQ(sum_of(TensorCore::hopper(8), 0.f, ones, std::vector<float>(8, 0)), 0.f);
}

TEST(TensorCore, what_is_not_finite_stays) {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> ones(8, 1);
  std::vector<float> b(8, 1);
  b[3] = inf;
  EXPECT_EQ(sum_of(TensorCore::hopper(8), 0, ones, b), inf);
  b[4] = -inf;
  EXPECT_TRUE(std::isnan(sum_of(TensorCore::hopper(8), 0, ones, b)));
  EXPECT_TRUE(std::isnan(sum_of(TensorCore::hopper(8), NAN, ones, ones)));
}

// Why a step's products are summed from zero (kernels/cuda/gemm/gemm_tile.cuh): the tests allow 1.
TEST(TensorCore, sums_of_three_products_drift_unless_each_step_begins_at_zero) {
  for (const TensorCore& core : {TensorCore::hopper(8), TensorCore::ampere(8)}) {
    for (const int k : {72, 360, 4608}) {
      const Errors e = errors_of(core, k);
      EXPECT_LT(e.from_zero, 0.4) << k;
      if (k > 72) EXPECT_GT(e.into_accumulator, 1) << k;
    }
    EXPECT_GT(errors_of(core, 4608).into_accumulator, 4);
  }
}
