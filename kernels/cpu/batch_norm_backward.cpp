// Batch norm backward: one pass for sum(g) and sum(g * (x - mean)), with g = dy where y > 0, and one for
//   dx = gamma * rstd * (g - mean(g) - xhat * mean(g * xhat)),  dresidual = g  (Ioffe & Szegedy 2015, section
//   3).
#include "kernels/batch_norm.h"
#include "kernels/cpu/batch_norm_rows.h"
#include "kernels/cpu/by_dtype.h"

namespace eb::kernels::cpu {
namespace {

template <class T>
struct Tensors {
  const T *x, *y, *dy;  // x (rows, c_in); y, dy (rows, c)
  T *dx, *dresidual;    // dx (rows, c_in); dresidual (rows, c) or null
};

// (2, c) in double: sum(g) and sum(g * (x - mean)).
template <class T, bool relu>
std::vector<double> reduce(const BatchNormRows& rows, const Tensors<T>& t, const std::vector<float>& mean) {
  const int64_t c = rows.c(), chunks = rows.chunks();
  std::vector<float> parts(chunks * 2 * c);
  parallel_for(chunks, [&](int64_t i) {
    auto buffer = group_buffer<T>(rows);
    std::vector<float> sums(2 * rows.width());
    for_groups(rows, i, [&](int64_t row, int64_t count) {
      const T* x = rows.load(t.x, row, count, buffer.data());
      const int64_t at = row * c;
      add_terms(count * c, rows.width(), sums.data(),
                [x, y = relu ? t.y + at : nullptr, dy = t.dy + at, mu = mean.data()](int64_t k, int64_t j) {
                  float g = dy[k];
                  if constexpr (relu) g = float(y[k]) <= 0.f ? 0.f : g;
                  return Pair{g, g * (float(x[k]) - mu[j])};
                });
    });
    fold(rows, sums.data(), &parts[i * 2 * c]);
  });
  std::vector<double> total(2 * c);
  for (int64_t i = 0; i < chunks; ++i) {
    for (int64_t j = 0; j < 2 * c; ++j) total[j] += parts[i * 2 * c + j];
  }
  return total;
}

// dx = scale * ((g - offset) - (x - mean) * slope)
struct Coefficients {
  std::vector<float> mean, scale, offset, slope;  // (R * c)
};

template <class T, bool relu, bool residual>
void apply(const BatchNormRows& rows, const Tensors<T>& t, const Coefficients& a) {
  parallel_for(rows.chunks(), [&](int64_t i) {
    auto x_buffer = group_buffer<T>(rows), dx_buffer = group_buffer<T>(rows);
    for_groups(rows, rows.chunks() - 1 - i, [&](int64_t row, int64_t count) {
      const T* x = rows.load(t.x, row, count, x_buffer.data());
      T* dx = rows.target(t.dx, row, dx_buffer.data());
      const int64_t at = row * rows.c();
      for_slots(count * rows.c(), rows.width(),
                [x, dx, y = relu ? t.y + at : nullptr, dy = t.dy + at,
                 dr = residual ? t.dresidual + at : nullptr, mean = a.mean.data(), scale = a.scale.data(),
                 offset = a.offset.data(), slope = a.slope.data()](int64_t k, int64_t j) {
                  float g = dy[k];
                  if constexpr (relu) g = float(y[k]) <= 0.f ? 0.f : g;
                  if constexpr (residual) dr[k] = g;
                  dx[k] = scale[j] * ((g - offset[j]) - (float(x[k]) - mean[j]) * slope[j]);
                });
      rows.store(t.dx, row, count, dx);
    });
  });
}

}  // namespace

void batch_norm_backward(const BatchNorm::Params& p, const void* x, const int32_t* select, const float* gamma,
                         const float* mean, const float* rstd, const void* y, const void* dy, void* dx,
                         void* dresidual, float* dgamma, float* dbeta) {
  const BatchNormRows rows(p.rows, p.c_in, p.c, select);
  Coefficients a{.mean = rows.tile([&](int64_t j) { return mean[j]; }),
                 .scale = rows.tile([&](int64_t j) { return gamma[rows.channel(j)] * rstd[j]; })};
  const auto run = [&]<class T, bool relu, bool residual>() {
    const Tensors<T> t{static_cast<const T*>(x), static_cast<const T*>(y), static_cast<const T*>(dy),
                       static_cast<T*>(dx), static_cast<T*>(dresidual)};
    const auto sums = reduce<T, relu>(rows, t, a.mean);
    const double n = static_cast<double>(p.rows);
    a.offset = rows.tile([&](int64_t j) { return static_cast<float>(sums[j] / n); });
    a.slope = rows.tile([&](int64_t j) { return static_cast<float>(sums[p.c + j] / n * rstd[j] * rstd[j]); });
    std::fill(dgamma, dgamma + p.c_in, 0.f);
    std::fill(dbeta, dbeta + p.c_in, 0.f);
    for (int64_t j = 0; j < p.c; ++j) {
      dgamma[rows.channel(j)] = static_cast<float>(sums[p.c + j] * rstd[j]);
      dbeta[rows.channel(j)] = static_cast<float>(sums[j]);
    }
    apply<T, relu, residual>(rows, t, a);
  };
  by_dtype(p.dtype, [&]<class T>() {
    by_flags([&]<bool relu, bool residual>() { run.template operator()<T, relu, residual>(); }, p.relu,
             dresidual != nullptr);
  });
}

}  // namespace eb::kernels::cpu
