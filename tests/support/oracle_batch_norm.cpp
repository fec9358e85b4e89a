#include "support/oracle_batch_norm.h"

#include <algorithm>
#include <cmath>

namespace eb::test {

std::vector<int32_t> BatchNormCase::select() const {
  std::vector<int32_t> list;
  if (keep_every == 1) return list;
  for (int64_t i = 0; i < c_in; i += keep_every) list.push_back(static_cast<int32_t>(i));
  return list;
}

std::vector<BatchNormCase> batch_norm_cases() {
  return {
      {"two_rows", 2, 3},
      {"one_channel", 77, 1, true},
      {"small", 50, 16, true, true},
      {"many_rows_narrow", 4100, 16, true},
      {"many_rows_three", 2500, 3, false, true},
      {"odd_channels", 777, 49, true},
      {"odd_residual", 129, 23, true, true},
      {"wide", 130, 512, false},
      {"wide_odd", 300, 511, true},
      {"exact_chunks", 1024, 64, true},
      {"one_row_more", 1025, 24},
      {"many_rows_residual", 1100, 16, true, true},
      {"select_half", 600, 32, true, false, 2},
      {"select_third_odd", 515, 49, true, true, 3},
      {"select_one", 90, 17, false, true, 17},
      {"select_wide", 140, 300, false, false, 4},
  };
}

BatchNormOracle::Forward BatchNormOracle::forward() const {
  const int64_t rows = shape.rows, c = shape.c();
  Forward f{Doubles(rows * c), Doubles(c), Doubles(c), Doubles(c)};
  for (int64_t j = 0; j < c; ++j) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < rows; ++i) sum += x_at(i, j);
    f.mean[j] = sum / rows;
    for (int64_t i = 0; i < rows; ++i) squares += std::pow(x_at(i, j) - f.mean[j], 2);
    f.variance[j] = squares / (rows - 1);
    f.rstd[j] = 1 / std::sqrt(squares / rows + eps);
    for (int64_t i = 0; i < rows; ++i) {
      double z = gamma[channel(j)] * (x_at(i, j) - f.mean[j]) * f.rstd[j] + beta[channel(j)];
      if (!residual.empty()) z += residual[i * c + j];
      f.y[i * c + j] = shape.relu ? std::max(z, 0.) : z;
    }
  }
  return f;
}

Doubles BatchNormOracle::infer(const Doubles& running_mean, const Doubles& running_var) const {
  const int64_t c = shape.c();
  Doubles y(shape.rows * c);
  for (int64_t i = 0; i < shape.rows; ++i) {
    for (int64_t j = 0; j < c; ++j) {
      const int64_t at = channel(j);
      double z = gamma[at] * (x_at(i, j) - running_mean[at]) / std::sqrt(running_var[at] + eps) + beta[at];
      if (!residual.empty()) z += residual[i * c + j];
      y[i * c + j] = shape.relu ? std::max(z, 0.) : z;
    }
  }
  return y;
}

BatchNormOracle::Gradients BatchNormOracle::backward(const Doubles& y, const Doubles& dy) const {
  const int64_t rows = shape.rows, c = shape.c();
  const Forward f = forward();
  Gradients g{Doubles(rows * shape.c_in), Doubles(rows * c), Doubles(shape.c_in), Doubles(shape.c_in)};
  for (int64_t i = 0; i < rows * c; ++i) g.dresidual[i] = shape.relu && !(y[i] > 0) ? 0 : dy[i];
  for (int64_t j = 0; j < c; ++j) {
    const double rstd = f.rstd[j], scale = gamma[channel(j)];
    double dvariance = 0, dmean = 0;
    for (int64_t i = 0; i < rows; ++i) {
      const double centred = x_at(i, j) - f.mean[j], d = g.dresidual[i * c + j];
      g.dbeta[channel(j)] += d;
      g.dgamma[channel(j)] += d * centred * rstd;
      dvariance += d * scale * centred * -0.5 * rstd * rstd * rstd;
      dmean -= d * scale * rstd;
    }
    for (int64_t i = 0; i < rows; ++i) {
      g.dx[i * shape.c_in + channel(j)] = g.dresidual[i * c + j] * scale * rstd +
                                          dvariance * 2 * (x_at(i, j) - f.mean[j]) / rows + dmean / rows;
    }
  }
  return g;
}

Doubles moments_of(const Doubles& y, int64_t k, int64_t each) {
  const int64_t rows = static_cast<int64_t>(y.size()) / k, slices = (rows + each - 1) / each;
  Doubles moments(static_cast<size_t>(slices * 2 * k));
  for (int64_t s = 0; s < slices; ++s)
    for (int64_t c = 0; c < k; ++c) {
      const int64_t first = s * each, end = std::min(rows, first + each);
      double &mean = moments[s * 2 * k + c], &m2 = moments[(s * 2 + 1) * k + c];
      for (int64_t row = first; row < end; ++row) mean += y[row * k + c] / static_cast<double>(end - first);
      for (int64_t row = first; row < end; ++row) m2 += std::pow(y[row * k + c] - mean, 2);
    }
  return moments;
}

void expect_moments(const Floats& got, const Doubles& y, int64_t k, int64_t each) {
  const Doubles want = moments_of(y, k, each);
  ASSERT_EQ(got.size(), want.size());
  const size_t step = static_cast<size_t>(2 * k);
  for (size_t s = 0; s < want.size(); s += step)
    for (size_t c = s; c < s + step / 2; ++c) {
      const double mean = want[c], m2 = want[c + step / 2];
      ASSERT_NEAR(got[c], mean,
                  2e-7 * std::abs(mean) + 1e-6 * std::sqrt(m2 / static_cast<double>(each)) + 1e-9)
          << "slice " << s / step << " of channel " << c - s;
      ASSERT_NEAR(got[c + step / 2], m2, 1e-5 * m2 + 1e-9) << "slice " << s / step << " of channel " << c - s;
    }
}

}  // namespace eb::test
