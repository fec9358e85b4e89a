// What the cases of the op table do not reach: which blocks have an integer path, blocks of zeros and of bad
// numbers, the longest sums, the ends of the exponents.
#include "support/conv_int8_calls.h"
#include "support/oracle_conv_int8.h"

namespace eb::test {
namespace {

using kernels::Device;
using Params = kernels::Conv2d::Params;
using Direction = ConvInt8::Direction;
using Path = ConvInt8::Path;

const Params plain{.n = 4, .h = 6, .w = 6, .c = 16, .k = 16, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1};
const ConvInt8 conv{plain};
const ConvInt8Oracle oracle{plain};
const int64_t x_size = oracle.sums.x_size(), y_size = oracle.sums.y_size(), w_size = oracle.sums.w_size();

TEST(Conv2dInt8, blocks_with_an_integer_path) {
  const int64_t x = x_size / plain.n, y = y_size / plain.n;
  EXPECT_TRUE(conv.has_integer(Direction::forward, x, w_size / plain.k));
  EXPECT_TRUE(conv.has_integer(Direction::backward_data, y, w_size));
  for (const int64_t other : {int64_t{1}, plain.c, x / 2}) {
    EXPECT_FALSE(conv.has_integer(Direction::forward, other, w_size));
    EXPECT_FALSE(conv.has_integer(Direction::backward_data, other, w_size));
    EXPECT_FALSE(conv.has_integer(Direction::backward_weight, other, y));
    EXPECT_FALSE(conv.has_integer(Direction::backward_weight, x, other));
  }
  EXPECT_FALSE(conv.has_integer(Direction::forward, x, plain.c));
  EXPECT_FALSE(conv.has_integer(Direction::backward_data, y, w_size / plain.k));
}

TEST(Conv2dInt8, blocks_of_several_samples_and_filters) {
  const Blocks x = Blocks::random(x_size, x_size / 2, 1), dy = Blocks::random(y_size, y_size / 2, 3);
  const Blocks w = Blocks::random(w_size, w_size / 4, 2), one = Blocks::random(w_size, w_size, 2);
  EXPECT_TRUE(conv.forward(Path::integer, x, w, {}).y == oracle.forward(x, w, {}));
  EXPECT_TRUE(conv.backward_data(Path::integer, dy, one) == oracle.backward_data(dy, one));
}

// Codes so small that no sum needs rounding.
TEST(Conv2dInt8, fewer_bits) {
  const Blocks x = Blocks::random(x_size, x_size / plain.n, 1, 4), w = Blocks::random(w_size, w_size, 2, 6);
  const Blocks dy = Blocks::random(y_size, y_size / plain.n, 3, 2);
  const Doubles dw = oracle.sums.backward_weight(x.values(), dy.values());
  for (const Path path : {Path::exact, Path::integer}) {
    EXPECT_TRUE(conv.forward(path, x, w, {}).y == oracle.forward(x, w, {}));
    EXPECT_TRUE(conv.backward_data(path, dy, w) == oracle.backward_data(dy, w));
    if (path == Path::exact || conv.has_integer(Direction::backward_weight, x.block, dy.block)) {
      EXPECT_EQ(to_doubles(conv.backward_weight(path, x, dy).first), dw);
    }
  }
}

void clear(Blocks& a, int64_t block, int16_t exponent) {
  std::fill_n(a.codes.begin() + block * a.block, a.block, int8_t{0});
  a.exponents[block] = exponent;
}

TEST(Conv2dInt8, zero_blocks_and_bad_blocks) {
  Blocks x = Blocks::random(x_size, x_size / plain.n, 1), w = Blocks::random(w_size, w_size / plain.k, 2);
  clear(x, 0, kernels::zero_block), clear(x, 1, kernels::bad_block);
  clear(w, 5, kernels::zero_block);
  for (const bool bad_row : {false, true}) {
    if (bad_row) clear(w, 6, kernels::bad_block);
    for (const Path path : {Path::exact, Path::integer}) {
      const auto out = conv.forward(path, x, w, {});
      const Doubles y = out.y.get();
      for (int64_t i = 0; i < y_size; ++i) {
        const int64_t n = i / (y_size / plain.n), k = i % plain.k;
        const bool bad = n == 1 || (bad_row && k == 6), zero = n == 0 || k == 5;
        ASSERT_EQ(std::isnan(y[i]), bad) << i;
        if (zero && !bad) {
          ASSERT_EQ(y[i], 0) << i;
        }
      }
      for (int64_t n = 0; n < plain.n; ++n)
        EXPECT_EQ(kernels::block_exponent(out.largest[n]) == kernels::bad_block, n == 1 || bad_row) << n;
      EXPECT_EQ(out.largest[0] == 0, !bad_row);
    }
  }
}

TEST(Conv2dInt8, bad_errors_spoil_what_they_reach) {
  const Blocks x = Blocks::random(x_size, x_size / plain.n, 1), w = Blocks::random(w_size, w_size, 2);
  Blocks dy = Blocks::random(y_size, y_size / plain.n, 3);
  clear(dy, 1, kernels::bad_block);
  for (const Path path : {Path::exact, Path::integer}) {
    const Doubles dx = conv.backward_data(path, dy, w).get();
    for (int64_t i = 0; i < x_size; ++i) ASSERT_EQ(std::isnan(dx[i]), i / x.block == 1) << i;
    if (path == Path::integer && !conv.has_integer(Direction::backward_weight, x.block, dy.block)) continue;
    const auto [dw, db] = conv.backward_weight(path, x, dy);
    for (const float v : dw) ASSERT_TRUE(std::isnan(v));
    for (const float v : db) ASSERT_TRUE(std::isnan(v));
  }
}

// All samples of a weight gradient zero but one, and all.
TEST(Conv2dInt8, weight_gradients_of_zero_samples) {
  Blocks x = Blocks::random(x_size, x_size / plain.n, 1), dy = Blocks::random(y_size, y_size / plain.n, 3);
  for (int64_t n = 1; n < plain.n; ++n) clear(n % 2 ? x : dy, n, kernels::zero_block);
  for (const Path path : {Path::exact, Path::integer}) {
    if (path == Path::integer && !conv.has_integer(Direction::backward_weight, x.block, dy.block)) continue;
    const Doubles xs = x.values(), ds = dy.values();
    expect_sum(to_doubles(conv.backward_weight(path, x, dy).first), oracle.sums.backward_weight(xs, ds),
               oracle.sums.backward_weight(absolute(xs), absolute(ds)), rounding(kernels::DType::f32), "dw");
    Blocks none = x;
    clear(none, 0, kernels::zero_block), clear(none, 2, kernels::zero_block);
    EXPECT_EQ(conv.backward_weight(path, none, dy).first, Floats(w_size, 0.f));
  }
}

// The longest sum that fits an int32, of the largest products.
TEST(Conv2dInt8, the_longest_sums_fit) {
  constexpr int64_t most = kernels::most_int8_products;
  static_assert(most * 127 * 127 <= 2147483647 && (most + 1) * 127 * 127 > 2147483647);
  const auto largest = static_cast<float>(most * 127 * 127);
  for (const int sign : {1, -1}) {  // scales of one: exponent 6
    const Blocks longest = Blocks::filled(2 * most, most, 127, 6);
    const Blocks other = Blocks::filled(2 * most, 2 * most, static_cast<int8_t>(sign * 127), 6);
    const ConvInt8 wide{{.n = 2, .h = 1, .w = 1, .c = most, .k = 2, .r = 1, .s = 1}};
    if (wide.has_integer(Direction::forward, most, 2 * most)) {
      EXPECT_EQ(wide.forward(Path::integer, longest, other, {}).y.get(), Doubles(4, sign * largest));
    }
    const ConvInt8 back{{.n = 2, .h = 1, .w = 1, .c = 2, .k = most, .r = 1, .s = 1}};
    if (back.has_integer(Direction::backward_data, most, 2 * most)) {
      EXPECT_EQ(back.backward_data(Path::integer, longest, other).get(), Doubles(4, sign * largest));
    }
    for (const int64_t rows : {int64_t{88}, int64_t{1}}) {  // sums of samples are rounded
      static_assert(most % 88 == 0);
      const ConvInt8 map{{.n = 2, .h = rows, .w = most / rows, .c = 1, .k = 1, .r = 1, .s = 1}};
      if (map.has_integer(Direction::backward_weight, most, 2 * most)) {
        EXPECT_NEAR(map.backward_weight(Path::integer, longest, other).first[0], sign * 2 * largest,
                    0x1p-17 * largest);
      }
    }
  }
}

// One product more than an int32 takes.
TEST(Conv2dInt8, longer_sums_are_refused) {
  constexpr int64_t most = kernels::most_int8_products;
  const auto has = [](const Params& p, Direction d) {
    const ConvOracle o{p};
    const int64_t x = o.x_size() / p.n, y = o.y_size() / p.n;
    return ConvInt8{p}.has_integer(d, d == Direction::backward_data ? y : x,
                                   d == Direction::backward_weight ? y : o.w_size());
  };
  const auto pointwise = [](int64_t w, int64_t c, int64_t k) {
    return Params{.n = 1, .h = 1, .w = w, .c = c, .k = k, .r = 1, .s = 1};
  };
  EXPECT_FALSE(has(pointwise(1, most + 1, 1), Direction::forward));
  EXPECT_FALSE(has(pointwise(1, 1, most + 1), Direction::backward_data));
  EXPECT_FALSE(has(pointwise(most + 1, 1, 1), Direction::backward_weight));
  Params p = pointwise(1, most / 9 + 1, 1);
  p.r = p.s = 3, p.pad_h = p.pad_w = 1;
  EXPECT_FALSE(has(p, Direction::forward));
  std::swap(p.c, p.k);
  EXPECT_FALSE(has(p, Direction::backward_data));
  if (conv.device != Device::cpu) return;
  EXPECT_TRUE(has(pointwise(1, most, 1), Direction::forward));
  EXPECT_TRUE(has(pointwise(1, 1, most), Direction::backward_data));
}

// The scale is the fp32 product of two scales, subnormal where it must be.
TEST(Conv2dInt8, scales_at_the_ends_of_float) {
  Blocks x = Blocks::random(x_size, x_size / plain.n, 1), w = Blocks::random(w_size, w_size / plain.k, 2);
  x.exponents = {-126, 0, 100, -60};
  for (size_t i = 0; i < w.exponents.size(); ++i) w.exponents[i] = static_cast<int16_t>(i * 4 - 40);
  w.exponents[0] = -126;
  EXPECT_TRUE(conv.forward(Path::integer, x, w, {}).y == oracle.forward(x, w, {}));
}

}  // namespace
}  // namespace eb::test
