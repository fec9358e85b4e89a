// Ordered sums against the recursion that defines their order, bit for bit.
#include "kernels/tree_sum.h"

#include <bit>
#include <numeric>

#include "support/devices.h"

namespace eb::test {
namespace {

const kernels::TreeSum& kernel = kernels::tree_sum(test_device().device);

// Numbers of widely different size, so that another order is another sum.
Floats rows(int64_t n, int64_t count) {
  Floats x = to_floats(normal(n * count, static_cast<uint64_t>(n)));
  for (int64_t i = 0; i < n * count; ++i) x[i] = std::ldexp(x[i], static_cast<int>(i * 7 % 23) - 11);
  return x;
}

// Of column i, rows first to last - 1.
float reference(const Floats& x, int64_t count, int64_t i, int64_t first, int64_t last) {
  if (last - first == 1) return x[first * count + i];
  const auto split = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(last - first - 1)));
  return reference(x, count, i, first, first + split) + reference(x, count, i, first + split, last);
}

Floats reference(int n, int64_t count, const Floats& x) {
  Floats y(count);
  for (int64_t i = 0; i < count; ++i) y[i] = reference(x, count, i, 0, n);
  return y;
}

Floats slices(int n, int64_t count, const Floats& x) {
  Floats y(count, NAN);
  {
    Staged on;
    kernel.slices(n, count, on(x), on(y));
  }
  return y;
}

TEST(TreeSum, adds_in_the_order_of_the_tree) {
  std::vector<int> sizes(33);
  std::iota(sizes.begin(), sizes.end(), 1);
  for (const int n : {64, 100, 128, 1023}) sizes.push_back(n);
  for (const int n : sizes)
    for (const int64_t count : {16, 1040, n < 10 ? 70000 : 48}) {
      const Floats x = rows(n, count);
      EXPECT_EQ(slices(n, count, x), reference(n, count, x)) << n << " rows of " << count;
    }
}

TEST(TreeSum, the_order_matters_here) {
  const Floats x = rows(7, 1040);
  Floats in_order(1040);
  for (int64_t i = 0; i < 7 * 1040; ++i) in_order[i % 1040] += x[i];
  EXPECT_NE(slices(7, 1040, x), in_order);
}

TEST(TreeSum, may_write_over_a_row) {
  for (const int n : {1, 2, 5, 8, 13})
    for (const int64_t row : {0, n - 1}) {
      constexpr int64_t count = 1040;
      const Floats x = rows(n, count);
      Floats y = x;
      {
        Staged on;
        float* const at = on(y);
        kernel.slices(n, count, at, at + row * count);
      }
      EXPECT_EQ(Floats(y.begin() + row * count, y.begin() + (row + 1) * count), reference(n, count, x));
      std::copy_n(x.begin() + row * count, count, y.begin() + row * count);
      EXPECT_EQ(y, x) << "nothing else is written";
    }
}

TEST(TreeSum, of_nothing) {
  const Floats none;
  EXPECT_EQ(slices(4, 0, none), none);
}

TEST(TreeSum, merges) {
  for (const int64_t count : {16, 1040, 70000}) {
    const Floats x = rows(2, count);
    Floats left(x.begin(), x.begin() + count);
    const Floats right(x.begin() + count, x.end());
    {
      Staged on;
      kernel.merge(count, on(left), on(right));
    }
    EXPECT_EQ(left, reference(2, count, x)) << count;
  }
}

TEST(TreeSum, same_bits_everywhere) {
  const Floats x = rows(11, 20000);
  expect_same_bits_everywhere(test_device(), [&] { return slices(11, 20000, x); });
}

}  // namespace
}  // namespace eb::test
