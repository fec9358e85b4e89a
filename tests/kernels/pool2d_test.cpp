// Pooling against the double oracle, the oracle's gradients against finite differences.
#include "kernels/pool2d.h"

#include <tuple>

#include "support/devices.h"
#include "support/oracle_pool2d.h"

namespace eb::test {
namespace {

using kernels::DType;

const kernels::Pool2d& kernel = kernels::pool2d(test_device().device);

class Pool2dTest : public testing::TestWithParam<std::tuple<Pool2dCase, DType>> {
 protected:
  const Pool2dCase shape = std::get<0>(GetParam());
  const DType dtype = std::get<1>(GetParam());
  const kernels::Pool2d::Params p = shape.params(dtype);
  const int64_t n_in = p.n * p.h * p.w * p.c, n_out = p.n * p.out_h() * p.out_w() * p.c;
  // bf16 has few values: ties are common and the first must win.
  const Values x{dtype, normal(n_in, 1)}, dy{dtype, normal(n_out, 2)};
  Values y{dtype, n_out}, dx{dtype, n_in};
  std::vector<uint8_t> index = std::vector<uint8_t>(n_out, 255);
};

TEST_P(Pool2dTest, MaxMatchesOracle) {
  {
    Staged on;
    kernel.max_forward(p, on(x), on(y), on(index));
  }
  {
    Staged on;
    kernel.max_backward(p, on(index), on(dy), on(dx));
  }
  const MaxPooled want = max_pool_oracle(shape, x.get());
  EXPECT_EQ(y.get(), want.y);
  EXPECT_EQ(index, want.window);
  expect_stored(dx, max_pool_backward_oracle(shape, want, dy.get()), 1e-6, "dx");

  Values without(dtype, n_out);
  {
    Staged on;
    kernel.max_forward(p, on(x), on(without), nullptr);
  }
  EXPECT_TRUE(without == y);
}

TEST_P(Pool2dTest, AverageMatchesOracle) {
  {
    Staged on;
    kernel.avg_forward(p, on(x), on(y));
  }
  {
    Staged on;
    kernel.avg_backward(p, on(dy), on(dx));
  }
  expect_stored(y, avg_pool_oracle(shape, x.get()), 1e-6, "y");
  expect_stored(dx, avg_pool_backward_oracle(shape, dy.get()), 1e-6, "dx");
}

TEST_P(Pool2dTest, SameBitsForAnyThreads) {
  expect_same_bits_for_any_threads([&] {
    Values avg(dtype, n_out), avg_dx(dtype, n_in);
    {
      Staged on;
      kernel.max_forward(p, on(x), on(y), on(index));
    }
    {
      Staged on;
      kernel.max_backward(p, on(index), on(dy), on(dx));
    }
    {
      Staged on;
      kernel.avg_forward(p, on(x), on(avg));
    }
    {
      Staged on;
      kernel.avg_backward(p, on(dy), on(avg_dx));
    }
    return std::tuple(y, index, dx, avg, avg_dx);
  });
}

INSTANTIATE_TEST_SUITE_P(Cases, Pool2dTest,
                         testing::Combine(testing::ValuesIn(pool2d_cases()),
                                          testing::Values(DType::f32, DType::bf16)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) + "_" +
                                  kernels::name_of(std::get<1>(info.param));
                         });

TEST(Pool2dOracle, GradientsMatchFiniteDifferences) {
  for (const Pool2dCase& shape : pool2d_cases()) {
    if (shape.n * shape.h * shape.w * shape.c > 500) continue;
    const Doubles x = normal(shape.n * shape.h * shape.w * shape.c, 1);
    const MaxPooled forward = max_pool_oracle(shape, x);
    const Doubles dy = normal(static_cast<int64_t>(forward.y.size()), 2);
    const auto max = [&](const Doubles& at) { return max_pool_oracle(shape, at).y; };
    const auto avg = [&](const Doubles& at) { return avg_pool_oracle(shape, at); };
    expect_close(max_pool_backward_oracle(shape, forward, dy), numeric_gradient(max, x, dy), 1e-8, 1e-8,
                 "max dx");
    expect_close(avg_pool_backward_oracle(shape, dy), numeric_gradient(avg, x, dy), 1e-8, 1e-8, "avg dx");
  }
}

TEST(Pool2d, MaxTakesTheFirstOfEqualsAndLetsNanThrough) {
  const kernels::Pool2d::Params p{DType::f32, 1, 2, 8, 1, 2, 2, 2, 2};
  const Floats x{1, 1, 5, 7, NAN, 2, -INFINITY, -INFINITY,  //
                 1, 1, 7, 0, 3,   9, -INFINITY, -INFINITY};
  Floats y(4);
  std::vector<uint8_t> index(4, 255);
  {
    Staged on;
    kernel.max_forward(p, on(x), on(y), on(index));
  }
  EXPECT_EQ(y[0], 1.f);
  EXPECT_EQ(y[1], 7.f);
  EXPECT_TRUE(std::isnan(y[2]));
  EXPECT_EQ(y[3], -INFINITY);
  EXPECT_EQ(index, (std::vector<uint8_t>{0, 1, 0, 0}));
}

// Padding counts in the divisor: a corner of ones under a 3 x 3 window sees 4 of 9.
TEST(Pool2d, AverageDividesByTheFullWindow) {
  const kernels::Pool2d::Params p{DType::f32, 1, 2, 2, 1, 3, 3, 1, 1, 1, 1};
  const Floats x{1, 1, 1, 1};
  Floats y(4);
  {
    Staged on;
    kernel.avg_forward(p, on(x), on(y));
  }
  for (float v : y) EXPECT_FLOAT_EQ(v, 4.f / 9.f);
}

}  // namespace
}  // namespace eb::test
