// Statistics that a convolution leaves for the batch norm behind it, on devices that have them: against those
// of its output in double, and the batch norm that uses them against the one that reads x itself.
#include <tuple>

#include "kernels/batch_norm.h"
#include "support/conv_cases.h"
#include "support/devices.h"
#include "support/oracle_batch_norm.h"

namespace eb::test {
namespace {

using kernels::BatchNorm;
using kernels::Conv2d;
using kernels::DType;

struct Normalised {
  Values y;
  Floats mean, rstd, running_mean, running_var;
  bool operator==(const Normalised&) const = default;
};

BatchNormOracle oracle_of(const Values& x, int64_t c_in, int64_t keep_every) {
  const Doubles gamma = to_doubles(to_floats(normal(c_in, 4, 1, 0.5))),
                beta = to_doubles(to_floats(normal(c_in, 5)));
  return {
      {"", x.size() / c_in, c_in, keep_every == 1, false, keep_every}, 1e-5f, 0.1f, x.get(), gamma, beta, {}};
}

// moments empty: from x
Normalised normalise(const BatchNormOracle& o, const Values& x, const Floats& moments, int64_t each) {
  const auto& [name, rows, c_in, relu, residual, keep_every] = o.shape;
  const int64_t c = o.shape.c();
  Normalised r{Values(x.dtype(), rows * c), Floats(c), Floats(c), Floats(c_in, 0.5f), Floats(c_in, 2.f)};
  const std::vector<int32_t> select = o.shape.select();
  const Floats gamma = to_floats(o.gamma), beta = to_floats(o.beta);
  Staged on;
  const BatchNorm& kernel = kernels::batch_norm(test_device().device);
  const BatchNorm::Params p{.dtype = x.dtype(), .rows = rows, .c_in = c_in, .c = c, .relu = relu};
  kernel.forward_train(
      p, {.x = on(x),
          .select = select.empty() ? nullptr : on(select),
          .gamma = on(gamma),
          .beta = on(beta),
          .y = on(r.y),
          .mean = on(r.mean),
          .rstd = on(r.rstd),
          .running_mean = on(r.running_mean),
          .running_var = on(r.running_var),
          .moments = moments.empty() ? BatchNorm::Moments{} : BatchNorm::Moments{on(moments), each},
          .workspace = on.workspace(kernel.workspace_bytes(p, BatchNorm::Direction::forward_train))});
  return r;
}

// x was made with this mean in every channel, which costs its statistics some digits.
void expect_same_norm(const Values& x, int64_t c_in, const Floats& moments, int64_t each, double of_mean) {
  // E[x x] - E[x] E[x] in float would be off by 0.06 at a mean of 1,000.
  const double lost = of_mean * 0x1p-24, error = 4e-6 + 2 * lost, of_rstd = 2e-6 + lost;
  for (const int64_t keep_every : {1, 2}) {
    const BatchNormOracle o = oracle_of(x, c_in, keep_every);
    const auto want = o.forward();
    const Normalised fused = normalise(o, x, moments, each), plain = normalise(o, x, {}, 0);
    expect_close(to_doubles(fused.mean), want.mean, 2e-7, 1e-6, "mean");
    expect_close(to_doubles(fused.rstd), want.rstd, of_rstd, 0, "rstd");
    double scale = 1;
    for (const double r : want.rstd) scale = std::max(scale, r);
    expect_stored(fused.y, want.y, error * scale, "y");
    // Each may be as far from the truth, on two sides of it.
    expect_close(to_doubles(fused.mean), to_doubles(plain.mean), 4e-7, 2e-6, "mean, from x");
    expect_close(to_doubles(fused.rstd), to_doubles(plain.rstd), of_rstd, 0, "rstd, from x");
    expect_close(to_doubles(fused.running_mean), to_doubles(plain.running_mean), 2e-7, 1e-6, "running mean");
    expect_close(to_doubles(fused.running_var), to_doubles(plain.running_var), 2 * of_rstd, 0,
                 "running variance");
  }
}

// A convolution whose bias moves the mean of its output.
struct Convolution {
  Convolution(Conv2d::Params shape, DType dtype, double mean)
      : p(shape), b(to_floats(normal(p.k, 3, mean, 1))) {
    p.dtype = dtype;
  }
  Values x() const { return {p.dtype, normal(p.n * p.h * p.w * p.c, 1)}; }
  Values w() const {
    const int64_t fan_in = p.r * p.s * (p.c / p.groups);
    return {p.dtype, normal(p.k * fan_in, 2, 0, 1 / std::sqrt(fan_in))};
  }
  int64_t rows() const { return p.n * p.out_h() * p.out_w(); }
  int64_t each() const { return kernel.moment_rows(p); }
  Values run(Floats* moments) const {  // NaN where it writes nothing
    const OnDevice x_there(device, x()), w_there(device, w()), b_there(device, b);
    Values y(p.dtype, rows() * p.k);
    const OnDevice y_there(device, y);
    if (moments) moments->assign(static_cast<size_t>((rows() + each() - 1) / each() * 2 * p.k), NAN);
    const OnDevice moments_there(device, moments ? *moments : Floats{});
    kernel.forward(p, {.x = x_there.get(),
                       .w = w_there.get(),
                       .b = b_there.as<float>(),
                       .y = y_there.get(),
                       .moments = moments ? moments_there.as<float>() : nullptr});
    y_there.fetch(y.data());
    if (moments) moments_there.fetch(*moments);
    return y;
  }

  Conv2d::Params p;
  Floats b;
  kernels::Device device = test_device().device;
  const Conv2d& kernel = kernels::conv2d(device);
};

class Moments : public testing::TestWithParam<std::tuple<ConvCase, DType, double>> {
 protected:
  void SetUp() override {
    if (conv.each() == 0) GTEST_SKIP() << "no moments on " << test_device();
  }
  double of_mean = std::get<2>(GetParam());
  Convolution conv{std::get<0>(GetParam()).p, std::get<1>(GetParam()), of_mean};
};

// Each slice alone, so that a row counted twice or beyond the tensor is seen.
TEST_P(Moments, of_a_convolution_are_those_of_its_stored_output) {
  Floats moments;
  const Values y = conv.run(&moments);
  EXPECT_TRUE(y == conv.run(nullptr)) << "asking for moments changes y";
  expect_moments(moments, y.get(), conv.p.k, conv.each());
  expect_same_norm(y, conv.p.k, moments, conv.each(), of_mean);
}

TEST_P(Moments, same_bits_everywhere) {
  expect_same_bits_everywhere(test_device(), [&] {
    Floats moments;
    const Values y = conv.run(&moments);
    return std::tuple(moments, normalise(oracle_of(y, conv.p.k, 1), y, moments, conv.each()));
  });
}

std::vector<ConvCase> small_convs() {
  std::vector<ConvCase> cases;
  for (const ConvCase& c : conv_cases())
    if (c.flops() < 3e6 && c.p.n * c.p.out_h() * c.p.out_w() > 1) cases.push_back(c);
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, Moments,
                         testing::Combine(testing::ValuesIn(small_convs()),
                                          testing::Values(DType::f32, DType::bf16), testing::Values(0., 1e3)),
                         [](const auto& info) {
                           return std::get<0>(info.param).name + "_" + name_of(std::get<1>(info.param)) +
                                  (std::get<2>(info.param) == 0 ? "" : "_mean_1000");
                         });

// More slices than are merged at once, the last of one row, of more channels than one block folds.
TEST(ManyMoments, give_the_batch_norm_that_reads_its_input) {
  const auto conv = kernels::conv2d(test_device().device);
  if (conv.moment_rows({.n = 1, .h = 1, .w = 1, .c = 1, .k = 1, .r = 1, .s = 1}) == 0)
    GTEST_SKIP() << "no moments on " << test_device();
  for (const double of_mean : {0., 1e3})
    for (const int64_t slices : {256, 257, 700}) {
      SCOPED_TRACE(slices);
      const int64_t each = 3, c = 35, rows = (slices - 1) * each + 1;
      const Values x(DType::f32, normal(rows * c, 1, of_mean, 1));
      expect_same_norm(x, c, to_floats(moments_of(x.get(), c, each)), each, of_mean);
    }
}

}  // namespace
}  // namespace eb::test
