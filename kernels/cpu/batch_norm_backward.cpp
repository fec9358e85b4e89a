// Batch norm backward: one pass for sum(g) and sum(g * (x - mean)), with g = dy where relu let y through, and
// one for
//   dx = gamma * rstd * (g - mean(g) - xhat * mean(g * xhat)),  dresidual = g  (Ioffe & Szegedy 2015, section
//   3).
#include "kernels/batch_norm.h"
#include "kernels/cpu/batch_norm_rows.h"
#include "kernels/cpu/by_dtype.h"

namespace eb::kernels::cpu {
namespace {

// Where relu's mask comes from. from_x repeats the forward's arithmetic, so the sign is the same.
enum class Mask { none, from_y, from_x };

template <class T>
struct Tensors {
  const T *x, *y, *dy;  // x (rows, c_in); y, dy (rows, c)
  T *dx, *dresidual;    // dx (rows, c_in); dresidual (rows, c) or null
};

// dx = scale * ((g - offset) - (x - mean) * slope); y = relu((x - mean) * scale + beta) (+ residual)
struct Coefficients {
  std::vector<float> mean, scale, beta, offset, slope;  // (R * c)
};

template <Mask mask>
float masked(float dy, float y, float centred, float scale, float beta) {
  if constexpr (mask == Mask::none) return dy;
  const float z = mask == Mask::from_y ? y : centred * scale + beta;
  return z <= 0.f ? 0.f : dy;
}

// (2, c) in double: sum(g) and sum(g * (x - mean)).
template <class T, Mask mask>
std::vector<double> reduce(const BatchNormRows& rows, const Tensors<T>& t, const Coefficients& a) {
  const int64_t c = rows.c(), chunks = rows.chunks();
  std::vector<float> parts(chunks * 2 * c);
  parallel_for(chunks, [&](int64_t i) {
    auto buffer = group_buffer<T>(rows);
    std::vector<float> sums(2 * rows.width());
    for_groups(rows, i, [&](int64_t row, int64_t count) {
      const int64_t at = row * c;
      add_terms(count * c, rows.width(), sums.data(),
                [x = rows.load(t.x, row, count, buffer.data()),
                 y = mask == Mask::from_y ? t.y + at : t.dy + at, dy = t.dy + at, mean = a.mean.data(),
                 scale = a.scale.data(), beta = a.beta.data()](int64_t k, int64_t j) {
                  const float centred = float(x[k]) - mean[j];
                  const float g = masked<mask>(dy[k], y[k], centred, scale[j], beta[j]);
                  return Pair{g, g * centred};
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

template <class T, Mask mask, bool residual>
void apply(const BatchNormRows& rows, const Tensors<T>& t, const Coefficients& a) {
  parallel_for(rows.chunks(), [&](int64_t i) {
    auto x_buffer = group_buffer<T>(rows), dx_buffer = group_buffer<T>(rows);
    for_groups(rows, rows.chunks() - 1 - i, [&](int64_t row, int64_t count) {
      T* dx = rows.target(t.dx, row, dx_buffer.data());
      const int64_t at = row * rows.c();
      for_slots(
          count * rows.c(), rows.width(),
          [x = rows.load(t.x, row, count, x_buffer.data()), dx,
           y = mask == Mask::from_y ? t.y + at : t.dy + at, dy = t.dy + at,
           dr = residual ? t.dresidual + at : nullptr, mean = a.mean.data(), scale = a.scale.data(),
           beta = a.beta.data(), offset = a.offset.data(), slope = a.slope.data()](int64_t k, int64_t j) {
            const float centred = float(x[k]) - mean[j];
            const float g = masked<mask>(dy[k], y[k], centred, scale[j], beta[j]);
            if constexpr (residual) dr[k] = g;
            dx[k] = scale[j] * ((g - offset[j]) - centred * slope[j]);
          });
      rows.store(t.dx, row, count, dx);
    });
  });
}

// f.operator()<T, mask, residual>()
template <class F>
void by_kind(DType dtype, Mask mask, bool residual, F&& f) {
  const auto with = [&]<Mask m>() {
    by_dtype(dtype, [&]<class T>() {
      residual ? f.template operator()<T, m, true>() : f.template operator()<T, m, false>();
    });
  };
  if (mask == Mask::none) with.template operator()<Mask::none>();
  if (mask == Mask::from_y) with.template operator()<Mask::from_y>();
  if (mask == Mask::from_x) with.template operator()<Mask::from_x>();
}

}  // namespace

void batch_norm_backward(const BatchNorm::Params& p, const BatchNorm::Backward& call) {
  const BatchNormRows rows(p.rows, p.c_in, p.c, call.select);
  Coefficients a{.mean = rows.tile([&](int64_t j) { return call.mean[j]; }),
                 .scale = rows.tile([&](int64_t j) { return call.gamma[rows.channel(j)] * call.rstd[j]; }),
                 .beta = rows.tile([&](int64_t j) { return call.beta[rows.channel(j)]; })};
  std::fill(call.dgamma, call.dgamma + p.c_in, 0.f);
  std::fill(call.dbeta, call.dbeta + p.c_in, 0.f);
  const Mask mask = !p.relu ? Mask::none : call.y ? Mask::from_y : Mask::from_x;
  by_kind(p.dtype, mask, call.dresidual != nullptr, [&]<class T, Mask m, bool residual>() {
    const Tensors<T> t{.x = static_cast<const T*>(call.x),
                       .y = static_cast<const T*>(call.y),
                       .dy = static_cast<const T*>(call.dy),
                       .dx = static_cast<T*>(call.dx),
                       .dresidual = static_cast<T*>(call.dresidual)};
    const auto sums = reduce<T, m>(rows, t, a);
    const double n = static_cast<double>(p.rows);
    const float* rstd = call.rstd;
    a.offset = rows.tile([&](int64_t j) { return static_cast<float>(sums[j] / n); });
    a.slope = rows.tile([&](int64_t j) { return static_cast<float>(sums[p.c + j] / n * rstd[j] * rstd[j]); });
    for (int64_t j = 0; j < p.c; ++j) {
      call.dgamma[rows.channel(j)] = static_cast<float>(sums[p.c + j] * rstd[j]);
      call.dbeta[rows.channel(j)] = static_cast<float>(sums[j]);
    }
    apply<T, m, residual>(rows, t, a);
  });
}

}  // namespace eb::kernels::cpu
