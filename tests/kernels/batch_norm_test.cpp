// Batch norm against the double oracle, the oracle's gradients against finite differences.
#include <bit>
#include <tuple>

#include "kernels/batch_norm.h"
#include "support/devices.h"
#include "support/oracle_batch_norm.h"

namespace eb::test {
namespace {

using kernels::DType;
using Direction = kernels::BatchNorm::Direction;

constexpr double float_error = 4e-6;  // a few float roundings of numbers of size 1 to 10

// One case with its inputs, rounded as the kernel sees them, and every buffer the kernel writes.
struct Trial {
  BatchNormCase shape;
  DType dtype;
  std::vector<int32_t> select = shape.select();
  int64_t n = shape.rows * shape.c();
  Values x{dtype, normal(shape.rows*shape.c_in, 1, 0.3, 2)}, residual{dtype, normal(n, 2)},
      dy{dtype, normal(n, 3)};
  Floats gamma = to_floats(normal(shape.c_in, 4, 1, 0.5)), beta = to_floats(normal(shape.c_in, 5));
  Floats running_mean = to_floats(normal(shape.c_in, 6)), running_var = Floats(shape.c_in, 0.7f);
  Values y{dtype, n}, dx{dtype, shape.rows*shape.c_in}, dresidual{dtype, n};
  Floats mean = Floats(shape.c()), rstd = mean, dgamma = Floats(shape.c_in, NAN), dbeta = dgamma;
  kernels::BatchNorm::Params p{.dtype = dtype,
                               .rows = shape.rows,
                               .c_in = shape.c_in,
                               .c = shape.c(),
                               .eps = 1e-5f,
                               .momentum = 0.1f,
                               .relu = shape.relu};
  std::vector<uint32_t> largest;  // by sample, where wanted
  const kernels::BatchNorm& kernel = kernels::batch_norm(test_device().device);

  BatchNormOracle oracle() const {
    return {shape,
            1e-5f,
            0.1f,
            x.get(),
            to_doubles(gamma),
            to_doubles(beta),
            shape.residual ? residual.get() : Doubles{}};
  }
  void forward() {
    Staged on;
    kernel.forward_train(p, {.x = on(x),
                             .select = select.empty() ? nullptr : on(select),
                             .gamma = on(gamma),
                             .beta = on(beta),
                             .residual = shape.residual ? on(residual) : nullptr,
                             .y = on(y),
                             .mean = on(mean),
                             .rstd = on(rstd),
                             .running_mean = on(running_mean),
                             .running_var = on(running_var),
                             .largest = largest.empty() ? nullptr : on(largest),
                             .workspace = on.workspace(kernel.workspace_bytes(p, Direction::forward_train))});
  }
  void infer() {
    Staged on;
    kernel.forward_infer(p, {.x = on(x),
                             .select = select.empty() ? nullptr : on(select),
                             .gamma = on(gamma),
                             .beta = on(beta),
                             .running_mean = on(running_mean),
                             .running_var = on(running_var),
                             .residual = shape.residual ? on(residual) : nullptr,
                             .y = on(y),
                             .largest = largest.empty() ? nullptr : on(largest),
                             .workspace = on.workspace(kernel.workspace_bytes(p, Direction::forward_infer))});
  }
  void backward(Values& dx_out, bool give_y = true) {
    Staged on;
    kernel.backward(p, {.x = on(x),
                        .select = select.empty() ? nullptr : on(select),
                        .gamma = on(gamma),
                        .beta = on(beta),
                        .mean = on(mean),
                        .rstd = on(rstd),
                        .y = shape.relu && give_y ? on(y) : nullptr,
                        .dy = on(dy),
                        .dx = on(dx_out),
                        .dresidual = shape.residual ? on(dresidual) : nullptr,
                        .dgamma = on(dgamma),
                        .dbeta = on(dbeta),
                        .workspace = on.workspace(kernel.workspace_bytes(p, Direction::backward))});
  }
  // Forward is to find the largest magnitudes of `samples` samples, from memory that holds anything.
  void want_largest(int64_t samples) {
    p.sample_rows = shape.rows / samples;
    largest.assign(samples, 0xdeadbeefu);
  }
  // What it should find, from y as it is stored.
  std::vector<uint32_t> largest_of_y() const {
    const Doubles stored = y.get();
    std::vector<uint32_t> most(largest.size());
    const int64_t block = p.sample_rows * shape.c();
    for (int64_t i = 0; i < std::ssize(most) * block; ++i) {
      const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(stored[i])) & 0x7fffffffu;
      most[i / block] = std::max(most[i / block], bits);
    }
    return most;
  }
  auto outputs() const {
    return std::tuple(y, largest, dx, dresidual, mean, rstd, dgamma, dbeta, running_mean, running_var);
  }
};

class BatchNormTest : public testing::TestWithParam<std::tuple<BatchNormCase, DType>> {
 protected:
  Trial run{std::get<0>(GetParam()), std::get<1>(GetParam())};
};

TEST_P(BatchNormTest, ForwardTrainMatchesOracle) {
  const Doubles mean_before = to_doubles(run.running_mean), var_before = to_doubles(run.running_var);
  run.forward();
  const auto oracle = run.oracle();
  const auto want = oracle.forward();
  expect_stored(run.y, want.y, float_error, "y");
  expect_close(to_doubles(run.mean), want.mean, 1e-6, 1e-6, "mean");
  expect_close(to_doubles(run.rstd), want.rstd, 1e-6, 0, "rstd");
  Doubles running_mean = mean_before, running_var = var_before;
  for (int64_t j = 0; j < run.shape.c(); ++j) {
    const int64_t at = oracle.channel(j);
    running_mean[at] = 0.9 * mean_before[at] + 0.1 * want.mean[j];
    running_var[at] = 0.9 * var_before[at] + 0.1 * want.variance[j];
  }
  expect_close(to_doubles(run.running_mean), running_mean, 1e-6, 1e-6, "running_mean");
  expect_close(to_doubles(run.running_var), running_var, 1e-6, 0, "running_var");
}

TEST_P(BatchNormTest, ForwardInferMatchesOracle) {
  run.infer();
  expect_stored(run.y, run.oracle().infer(to_doubles(run.running_mean), to_doubles(run.running_var)),
                float_error, "y");
}

// One sample, one a row, and whatever between divides the rows: slices and chunks hold several samples, or
// parts of them.
TEST_P(BatchNormTest, LargestOfEverySample) {
  const Trial before = run;
  run.forward();
  const Values plain = run.y;
  for (const int64_t samples : {1, 2, 3, 5, 7, 10, 20, 43, 257, 1100, 1250}) {
    if (run.shape.rows % samples) continue;
    for (const bool train : {true, false}) {
      Trial again = before;
      again.want_largest(samples);
      train ? again.forward() : again.infer();
      EXPECT_EQ(again.largest, again.largest_of_y()) << samples << " samples" << (train ? "" : ", inference");
      EXPECT_TRUE(!train || again.y == plain);
    }
  }
}

TEST_P(BatchNormTest, BackwardMatchesOracle) {
  run.forward();
  run.backward(run.dx);
  const auto want = run.oracle().backward(run.y.get(), run.dy.get());
  const double sum_error = 1e-6 * run.shape.rows + 1e-5;
  expect_close(to_doubles(run.dgamma), want.dgamma, 0, sum_error, "dgamma");
  expect_close(to_doubles(run.dbeta), want.dbeta, 0, sum_error, "dbeta");
  // Two rows make xhat +-1 and dx the difference of nearly equal numbers times rstd.
  expect_stored(run.dx, want.dx, run.shape.rows < 10 ? 1e-5 : float_error, "dx");
  if (run.shape.residual) expect_stored(run.dresidual, want.dresidual, 0, "dresidual");
}

TEST_P(BatchNormTest, MaskFromXEqualsMaskFromY) {
  if (run.shape.residual) return;
  run.forward();
  run.backward(run.dx);
  const auto with_y = run.outputs();
  run.dx = Values(run.dtype, run.dx.size());
  run.backward(run.dx, false);
  EXPECT_TRUE(run.outputs() == with_y);
}

TEST_P(BatchNormTest, GradientMayOverwriteItsInput) {
  if (run.shape.keep_every != 1) return;
  run.forward();
  run.backward(run.dx);
  run.backward(run.dy);
  EXPECT_TRUE(run.dx == run.dy);
}

TEST_P(BatchNormTest, SameBitsForAnyThreads) {
  expect_same_bits_for_any_threads([&] {
    Trial again = run;
    again.want_largest(run.shape.rows % 5 ? 1 : 5);
    again.forward();
    again.backward(again.dx);
    // NaN where a case has no dresidual: compare what was written.
    if (!again.shape.residual) again.dresidual = Values(run.dtype, Doubles{});
    return again.outputs();
  });
}

INSTANTIATE_TEST_SUITE_P(Cases, BatchNormTest,
                         testing::Combine(testing::ValuesIn(batch_norm_cases()),
                                          testing::Values(DType::f32, DType::bf16)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) + "_" +
                                  kernels::name_of(std::get<1>(info.param));
                         });

TEST(BatchNormOracle, GradientsMatchFiniteDifferences) {
  for (const BatchNormCase& shape :
       {BatchNormCase{"plain", 7, 3}, BatchNormCase{"all", 9, 5, true, true, 2}}) {
    const int64_t n = shape.rows * shape.c();
    const BatchNormOracle oracle{shape,
                                 1e-5,
                                 0.1,
                                 normal(shape.rows * shape.c_in, 1),
                                 normal(shape.c_in, 2, 1),
                                 normal(shape.c_in, 3),
                                 shape.residual ? normal(n, 4) : Doubles{}};
    const Doubles dy = normal(n, 5);
    const auto got = oracle.backward(oracle.forward().y, dy);
    const auto numeric = [&](Doubles BatchNormOracle::*input) {
      return numeric_gradient(
          [&](const Doubles& at) {
            BatchNormOracle moved = oracle;
            moved.*input = at;
            return moved.forward().y;
          },
          oracle.*input, dy);
    };
    expect_close(got.dx, numeric(&BatchNormOracle::x), 1e-6, 1e-7, "dx");
    expect_close(got.dgamma, numeric(&BatchNormOracle::gamma), 1e-6, 1e-7, "dgamma");
    expect_close(got.dbeta, numeric(&BatchNormOracle::beta), 1e-6, 1e-7, "dbeta");
    if (shape.residual)
      expect_close(got.dresidual, numeric(&BatchNormOracle::residual), 1e-6, 1e-7, "dresidual");
  }
}

// A row's NaN or infinity is its sample's largest magnitude and no other's: a quantiser sees it there.
TEST(BatchNorm, LargestKeepsNanAndInfinity) {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const bool relu : {false, true}) {
      Trial run{{"bad", 24, 16, relu, true}, dtype};
      run.residual.set((5 * 16) + 3, NAN);
      run.residual.set((5 * 16) + 4, INFINITY);
      run.residual.set((11 * 16) + 7, INFINITY);
      run.residual.set((20 * 16) + 2, -INFINITY);
      run.want_largest(4);
      run.forward();
      EXPECT_GT(run.largest[0], 0x7f800000u);
      EXPECT_EQ(run.largest[1], 0x7f800000u);
      EXPECT_LT(run.largest[2], 0x7f800000u);
      EXPECT_EQ(run.largest[3] == 0x7f800000u, !relu);
    }
  }
}

// What bf16 rounds up to infinity is infinity.
TEST(BatchNorm, LargestIsOfWhatIsStored) {
  Trial run{{"stored", 20, 8, true, true}, DType::bf16};
  std::fill(run.gamma.begin(), run.gamma.end(), 0.f);
  std::fill(run.beta.begin(), run.beta.end(), 0.f);
  run.residual = Values(DType::bf16, Doubles(run.n, -1.));
  run.residual.set(3, 0x1.fep127);
  run.beta[3] = 0x1p119f;  // half a unit in the last place of the residual
  run.want_largest(10);
  run.forward();
  EXPECT_EQ(run.largest, run.largest_of_y());
  EXPECT_EQ(run.largest[0], 0x7f800000u);
  EXPECT_LT(run.largest[1], 0x7f800000u);
}

// float has 24 bits: E[x^2] - E[x]^2 at mean 1000 and std 1 would lose 20 of them.
TEST(BatchNorm, LargeMeanKeepsItsVariance) {
  for (double mean : {1000., -1e5}) {
    Trial run{{"shifted", 5000, 24}, DType::f32};
    run.x = Values(DType::f32, normal(5000 * 24, 7, mean, 1));
    run.forward();
    const auto want = run.oracle().forward();
    expect_close(to_doubles(run.rstd), want.rstd, 1e-6, 0, "rstd");
    expect_close(to_doubles(run.mean), want.mean, 1e-7, 0, "mean");
    expect_close(run.y.get(), want.y, 1e-5, std::abs(mean) * 2e-7, "y");  // x - mean in float
  }
}

// The shift comes from the first rows of a chunk: make exactly those the outliers.
TEST(BatchNorm, OutliersInTheFirstRowsKeepTheVariance) {
  Trial run{{"outliers", 4096, 16}, DType::f32};
  for (int64_t i = 0; i < 16 * 16; ++i) run.x.set(i, 1e4 + i);
  run.forward();
  expect_close(to_doubles(run.rstd), run.oracle().forward().rstd, 1e-5, 0, "rstd");
}

TEST(BatchNorm, ConstantInputHasZeroVariance) {
  Trial run{{"constant", 333, 5}, DType::f32};
  run.x = Values(DType::f32, Doubles(333 * 5, 0.1));
  run.forward();
  for (float r : run.rstd) EXPECT_FLOAT_EQ(r, 1 / std::sqrt(1e-5f));
  for (int64_t i = 0; i < 333 * 5; ++i) EXPECT_NEAR(run.y.get()[i], run.beta[i % 5], 1e-5);
}

TEST(BatchNorm, UnselectedInfinityDoesNotReachTheGradient) {
  Trial run{{"select", 40, 6, true, false, 2}, DType::f32};
  run.x.set(1, INFINITY);
  run.forward();
  run.backward(run.dx);
  const Doubles dx = run.dx.get();
  for (int64_t i = 0; i < 40 * 6; ++i) {
    EXPECT_TRUE(std::isfinite(dx[i]));
    if (i % 2 == 1) {
      EXPECT_EQ(dx[i], 0.);
    }
  }
}

}  // namespace
}  // namespace eb::test
