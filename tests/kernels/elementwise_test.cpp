// Elementwise ops, exact in both dtypes: every one is a single rounding of a float result.
#include "kernels/elementwise.h"

#include <limits>

#include "support/devices.h"
#include "support/values.h"

namespace eb::test {
namespace {

using kernels::bf16;
using kernels::DType;

const kernels::Elementwise& kernel = kernels::elementwise(test_device().device);
constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

class ElementwiseTest : public testing::TestWithParam<std::tuple<DType, int64_t>> {
 protected:
  const DType dtype = std::get<0>(GetParam());
  const int64_t n = std::get<1>(GetParam());
  const kernels::Elementwise::Params p{dtype, n};
  Values a{dtype, normal(n, 1)}, b{dtype, normal(n, 2)}, y{dtype, n};

  template <class F>
  Values mapped(F&& f) const {
    const Doubles x = a.get(), z = b.get();
    Doubles want(n);
    for (int64_t i = 0; i < n; ++i) want[i] = f(static_cast<float>(x[i]), static_cast<float>(z[i]));
    return Values(dtype, want);
  }
};

TEST_P(ElementwiseTest, ReluForward) {
  {
    Staged on;
    kernel.relu_forward(p, on(a), on(y));
  }
  EXPECT_TRUE(y == mapped([](float x, float) { return x > 0 ? x : 0.f; }));
}

TEST_P(ElementwiseTest, ReluBackwardInPlace) {
  const Values want = mapped([](float x, float dy) { return x > 0 ? dy : 0.f; });
  {
    Staged on;
    kernel.relu_backward(p, on(a), on(b), on(b));
  }
  EXPECT_TRUE(b == want);
}

TEST_P(ElementwiseTest, AddInPlace) {
  const Values want = mapped([](float x, float z) { return x + z; });
  {
    Staged on;
    kernel.add(p, on(a), on(b), on(a));
  }
  EXPECT_TRUE(a == want);
}

TEST_P(ElementwiseTest, FillAndScale) {
  {
    Staged on;
    kernel.fill(p, 0.3f, on(y));
  }
  EXPECT_TRUE(y == mapped([](float, float) { return 0.3f; }));
  const Values want = mapped([](float x, float) { return 1.7f * x; });
  {
    Staged on;
    kernel.scale(p, 1.7f, on(a));
  }
  EXPECT_TRUE(a == want);
}

TEST_P(ElementwiseTest, CastRoundsOnceAndBack) {
  const Doubles source = to_doubles(to_floats(normal(n, 3)));
  const Values x(DType::f32, source);
  {
    Staged on;
    kernel.cast(n, DType::f32, on(x), dtype, on(y));
  }
  EXPECT_TRUE(y == Values(dtype, source));
  Values back(DType::f32, n);
  {
    Staged on;
    kernel.cast(n, dtype, on(y), DType::f32, on(back));
  }
  EXPECT_EQ(back.get(), y.get());
}

INSTANTIATE_TEST_SUITE_P(Sizes, ElementwiseTest,
                         testing::Combine(testing::Values(DType::f32, DType::bf16),
                                          testing::Values(int64_t{1}, int64_t{17}, int64_t{70001})));

TEST(Elementwise, ReluPassesNanAndKeepsZero) {
  for (DType dtype : {DType::f32, DType::bf16}) {
    const Values x(dtype, {nan, -inf, inf, 0., -1., 1e-30});
    Values y(dtype, 6), dx(dtype, 6);
    {
      Staged on;
      kernel.relu_forward({dtype, 6}, on(x), on(y));
    }
    expect_close(y.get(), Values(dtype, {nan, 0, inf, 0, 0, 1e-30}).get(), 0, 0, "y");
    const Values dy(dtype, {1, 2, 3, 4, 5, 6});
    {
      Staged on;
      kernel.relu_backward({dtype, 6}, on(y), on(dy), on(dx));
    }
    expect_close(dx.get(), {1, 0, 3, 0, 0, 6}, 0, 0, "dx");
  }
}

// Round to nearest, ties to even; 1 + 2^-8 is half way between two bf16 numbers.
TEST(Elementwise, CastToBf16RoundsToNearestEven) {
  const Floats x{1.f + 0x1p-8f, 1.f + 3 * 0x1p-8f, 1.f + 0x1p-8f + 0x1p-20f, -1.f - 0x1p-8f, 3.4e38f, 1e-40f,
                 NAN,           -INFINITY};
  std::vector<bf16> y(x.size());
  {
    Staged on;
    kernel.cast(static_cast<int64_t>(x.size()), DType::f32, on(x), DType::bf16, on(y));
  }
  const std::vector<uint16_t> want{0x3f80, 0x3f82, 0x3f81, 0xbf80, 0x7f80, 0x0001, 0x7fc0, 0xff80};
  for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(y[i].bits, want[i]) << "of " << x[i];
}

TEST(Elementwise, SelectAndItsTranspose) {
  for (DType dtype : {DType::f32, DType::bf16}) {
    const int64_t rows = 700, c = 61, k = 4;
    const std::vector<int32_t> select{0, 7, 8, 60};
    const Values x(dtype, normal(rows * c, 1)), dy(dtype, normal(rows * k, 2));
    Values y(dtype, rows * k), dx(dtype, rows * c);
    {
      Staged on;
      kernel.select_forward(dtype, rows, c, k, on(x), on(select), on(y));
    }
    {
      Staged on;
      kernel.select_backward(dtype, rows, c, k, on(dy), on(select), on(dx));
    }
    Doubles want_y(rows * k), want_dx(rows * c);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < k; ++j) {
        want_y[i * k + j] = x.get()[i * c + select[j]];
        want_dx[i * c + select[j]] = dy.get()[i * k + j];
      }
    }
    EXPECT_EQ(y.get(), want_y);
    EXPECT_EQ(dx.get(), want_dx);
  }
}

}  // namespace
}  // namespace eb::test
