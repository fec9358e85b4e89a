// Reductions against long double sums.
#include "kernels/reduce.h"

#include "support/devices.h"
#include "support/values.h"

namespace eb::test {
namespace {

const kernels::Reduce& kernel = kernels::reduce(test_device().device);

class ReduceTest : public testing::TestWithParam<int64_t> {
 protected:
  const int64_t n = GetParam();
  Floats x = to_floats(normal(n, 1, 0.1, 3));
};

TEST_P(ReduceTest, SumsMatch) {
  long double sum = 0, squares = 0, absolute = 0;
  for (float v : x) sum += v, squares += static_cast<long double>(v) * v, absolute += std::abs(v);
  double got;
  {
    Staged on;
    kernel.sum(n, on(x), on(got), on.workspace(kernel.workspace_bytes(n)));
  }
  EXPECT_NEAR(got, static_cast<double>(sum), static_cast<double>(absolute) * 4e-12);
  {
    Staged on;
    kernel.sum_of_squares(n, on(x), on(got), on.workspace(kernel.workspace_bytes(n)));
  }
  EXPECT_NEAR(got, static_cast<double>(squares), static_cast<double>(squares) * 4e-12);
}

TEST_P(ReduceTest, SameBitsForAnyThreads) {
  expect_same_bits_for_any_threads([&] {
    double sum, squares;
    {
      Staged on;
      kernel.sum(n, on(x), on(sum), on.workspace(kernel.workspace_bytes(n)));
    }
    {
      Staged on;
      kernel.sum_of_squares(n, on(x), on(squares), on.workspace(kernel.workspace_bytes(n)));
    }
    return std::pair(sum, squares);
  });
}

TEST_P(ReduceTest, OneBadNumberAnywhereIsSeen) {
  int32_t flag = -1;
  {
    Staged on;
    kernel.all_finite(n, on(x), on(flag), on.workspace(kernel.workspace_bytes(n)));
  }
  EXPECT_EQ(flag, 1);
  for (int64_t at : {int64_t{0}, n / 2, n - 1}) {
    for (float bad : {NAN, INFINITY, -INFINITY}) {
      if (n == 0) continue;
      const float good = x[at];
      x[at] = bad;
      {
        Staged on;
        kernel.all_finite(n, on(x), on(flag), on.workspace(kernel.workspace_bytes(n)));
      }
      EXPECT_EQ(flag, 0) << bad << " at " << at;
      x[at] = good;
    }
  }
}

// Where the numbers lie may decide how they are loaded, never the order in which they are added.
TEST_P(ReduceTest, SameBitsAtAnyAddress) {
  for (int64_t offset : {0, 1, 2}) {
    Floats shifted(offset, 1e30f);
    shifted.insert(shifted.end(), x.begin(), x.end());
    double got, want;
    {
      Staged on;
      kernel.sum(n, on(shifted) + offset, on(got), on.workspace(kernel.workspace_bytes(n)));
    }
    {
      Staged on;
      kernel.sum(n, on(x), on(want), on.workspace(kernel.workspace_bytes(n)));
    }
    EXPECT_EQ(got, want) << offset;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, ReduceTest, testing::Values(0, 1, 7, 32768, 32769, 300001));

TEST(Reduce, LargestFloatIsFinite) {
  const Floats x{3.4028234e38f, -3.4028234e38f, 1e-45f, 0.f, -0.f};
  int32_t flag = -1;
  {
    Staged on;
    kernel.all_finite(5, on(x), on(flag), on.workspace(kernel.workspace_bytes(5)));
  }
  EXPECT_EQ(flag, 1);
}

}  // namespace
}  // namespace eb::test
