// Batch norm. Memory-bound, so passes are what counts: training forward is one statistics pass and one apply
// pass, backward one reduce pass and one apply pass, with relu, residual and select fused into them. Variance
// comes from sums shifted by the mean of the chunk's first rows: with m of N rows in the shift, the rounding
// error of a chunk's variance is at most 1 + N / m <= 65 units whatever the data, so no second pass. Chunks
// are combined in double and in order: same bits for any number of threads.
// Measured on two Zen 3 cores, f32, 128x32x32x64 (33 MB): copy 45 GB/s, forward 34 over its three passes,
// backward 35 over its five (one thread: 24.7, 19.2, 18.7). Software prefetch changed nothing.
#include "kernels/batch_norm.h"

#include <cmath>

#include "kernels/cpu/batch_norm_rows.h"
#include "kernels/cpu/by_dtype.h"
#include "kernels/cpu/largest.h"
#include "kernels/cpu/no_workspace.h"

namespace eb::kernels::cpu {
namespace {

constexpr int64_t shift_rows = 16;

// Writes shift, sum(x - shift) and sum((x - shift)^2) of one chunk to out (3, c).
template <class T>
void chunk_moments(const BatchNormRows& rows, const T* x, int64_t chunk, float* out) {
  const int64_t c = rows.c(), begin = rows.chunk_begin(chunk), end = rows.chunk_end(chunk);
  const int64_t m = std::min(shift_rows, end - begin);
  auto buffer = group_buffer<T>(rows);
  auto first = std::vector<T>(rows.selects() ? m * c : 0);
  const T* head = rows.load(x, begin, m, first.data());
  std::fill(out, out + c, 0.f);
  for_slots(m * c, c, [=](int64_t i, int64_t j) { out[j] += float(head[i]); });
  for (int64_t j = 0; j < c; ++j) out[j] /= static_cast<float>(m);

  const auto shift = rows.tile([&](int64_t j) { return out[j]; });
  std::vector<float> sums(2 * rows.width());
  for_groups(rows, chunk, [&](int64_t row, int64_t count) {
    add_terms(count * c, rows.width(), sums.data(),
              [v = rows.load(x, row, count, buffer.data()), k = shift.data()](int64_t i, int64_t j) {
                const float d = float(v[i]) - k[j];
                return Pair{d, d * d};
              });
  });
  fold(rows, sums.data(), out + c);
}

// mean (c) and the sum of squared deviations (c) over all rows, by Chan's rule over chunks.
template <class T>
void moments(const BatchNormRows& rows, const T* x, std::vector<double>& mean, std::vector<double>& squares) {
  const int64_t c = rows.c(), chunks = rows.chunks();
  std::vector<float> parts(chunks * 3 * c);
  parallel_for(chunks, [&](int64_t i) { chunk_moments(rows, x, i, &parts[i * 3 * c]); });
  mean.assign(c, 0.);
  squares.assign(c, 0.);
  double before = 0;
  for (int64_t i = 0; i < chunks; ++i) {
    const float *shift = &parts[i * 3 * c], *sum = shift + c, *square = sum + c;
    const double n = static_cast<double>(rows.chunk_end(i) - rows.chunk_begin(i)), total = before + n;
    for (int64_t j = 0; j < c; ++j) {
      const double delta = shift[j] + sum[j] / n - mean[j];
      squares[j] += (square[j] - double(sum[j]) * sum[j] / n) + delta * delta * (before * n / total);
      mean[j] += delta * (n / total);
    }
    before = total;
  }
}

// y = relu((x - mean) * scale + beta + residual)
struct Affine {
  std::vector<float> mean, scale, beta;  // (R * c)
};

// Of each sample, by whichever threads have rows of it: a maximum is free of order. Measured on one shared
// Zen 3 core, normalising and rounding to 8 bits, without and with: f32 128x32x32x64 9.9 and 8.9 ms (finding
// costs 0.2), 128x8x8x256 1.9 and 1.7; bf16 8.2 and 7.9; what fits the L2 cache in bf16 gains nothing (+-2
// %). The maximum inside apply's loop instead: f32 up to 10 % faster, bf16 10 % slower.
struct Largest {
  uint32_t* of;  // null: not wanted
  int64_t sample_rows;

  // Rows `row` to end - 1 of y (rows, c), just written and still in the L1 cache.
  template <class T>
  void take(const T* y, int64_t c, int64_t row, int64_t end) const {
    while (row < end) {
      const int64_t sample = row / sample_rows, last = std::min(end, (sample + 1) * sample_rows);
      raise(of[sample], largest_of((last - row) * c, y + row * c));
      row = last;
    }
  }
};

template <class T, bool relu, bool residual>
void apply(const BatchNormRows& rows, const Affine& affine, const T* x, const T* r, T* y,
           const Largest& largest) {
  parallel_for(rows.chunks(), [&](int64_t i) {
    auto buffer = group_buffer<T>(rows);
    for_groups(rows, rows.chunks() - 1 - i, [&](int64_t row, int64_t count) {
      const T* v = rows.load(x, row, count, buffer.data());
      const int64_t at = row * rows.c();
      for_slots(count * rows.c(), rows.width(),
                [v, out = y + at, add = r + (residual ? at : 0), mean = affine.mean.data(),
                 scale = affine.scale.data(), beta = affine.beta.data()](int64_t k, int64_t j) {
                  float z = (float(v[k]) - mean[j]) * scale[j] + beta[j];
                  if constexpr (residual) z += float(add[k]);
                  if constexpr (relu) z = z < 0.f ? 0.f : z;
                  out[k] = z;
                });
      if (largest.of) largest.take(y, rows.c(), row, row + count);
    });
  });
}

void apply(const BatchNorm::Params& p, const BatchNormRows& rows, const Affine& affine, const void* x,
           const void* residual, void* y, uint32_t* largest) {
  if (largest) std::fill(largest, largest + p.rows / p.sample_rows, 0u);
  by_dtype(p.dtype, [&]<class T>() {
    by_flags(
        [&]<bool relu, bool add>() {
          apply<T, relu, add>(rows, affine, static_cast<const T*>(x), static_cast<const T*>(residual),
                              static_cast<T*>(y), {largest, p.sample_rows});
        },
        p.relu, residual != nullptr);
  });
}

void forward_train(const BatchNorm::Params& p, const BatchNorm::ForwardTrain& call) {
  const BatchNormRows rows(p.rows, p.c_in, p.c, call.select);
  std::vector<double> mu, squares;
  by_dtype(p.dtype, [&]<class T>() { moments(rows, static_cast<const T*>(call.x), mu, squares); });
  const double n = static_cast<double>(p.rows), unbiased = std::max(1., n - 1);
  for (int64_t j = 0; j < p.c; ++j) {
    const int64_t at = rows.channel(j);
    call.mean[j] = static_cast<float>(mu[j]);
    call.rstd[j] = static_cast<float>(1 / std::sqrt(squares[j] / n + p.eps));
    call.running_mean[at] += p.momentum * (call.mean[j] - call.running_mean[at]);
    call.running_var[at] += p.momentum * (static_cast<float>(squares[j] / unbiased) - call.running_var[at]);
  }
  const Affine affine{rows.tile([&](int64_t j) { return call.mean[j]; }),
                      rows.tile([&](int64_t j) { return call.gamma[rows.channel(j)] * call.rstd[j]; }),
                      rows.tile([&](int64_t j) { return call.beta[rows.channel(j)]; })};
  apply(p, rows, affine, call.x, call.residual, call.y, call.largest);
}

void forward_infer(const BatchNorm::Params& p, const BatchNorm::ForwardInfer& call) {
  const BatchNormRows rows(p.rows, p.c_in, p.c, call.select);
  const auto scale = [&](int64_t j) {
    const int64_t at = rows.channel(j);
    return static_cast<float>(call.gamma[at] / std::sqrt(double(call.running_var[at]) + p.eps));
  };
  const Affine affine{rows.tile([&](int64_t j) { return call.running_mean[rows.channel(j)]; }),
                      rows.tile(scale), rows.tile([&](int64_t j) { return call.beta[rows.channel(j)]; })};
  apply(p, rows, affine, call.x, call.residual, call.y, call.largest);
}

}  // namespace

// In batch_norm_backward.cpp.
void batch_norm_backward(const BatchNorm::Params& p, const BatchNorm::Backward& call);

const BatchNorm batch_norm = {.workspace_bytes = no_workspace,
                              .forward_train = forward_train,
                              .forward_infer = forward_infer,
                              .backward = batch_norm_backward};

}  // namespace eb::kernels::cpu
