#include "kernels/cpu/conv2d/conv2d_grouped_rows.h"

#include <algorithm>
#include <array>
#include <utility>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vec.h"

namespace eb::kernels::cpu {
namespace {

// Columns of a tile: sums, the taps of one kernel row (at most 5) and an input fit 16 registers, and 8 sums
// hide the latency of their multiply-adds.
constexpr int most_columns = 8;

template <bool single>
Vec input(const float* p) {
  return single ? broadcast(*p) : load(p);
}

// sum (columns) += one row of taps; an input is loaded once for all outputs that it reaches. S = 0: any
// number of taps, any stride.
template <int S, int stride, int columns, bool single>
void add_kernel_row(const GroupedRow& a, const float* x, const float* w, Vec (&sum)[columns]) {
  if constexpr (S > 0) {
    Vec taps[S];
#pragma GCC unroll 8
    for (int s = 0; s < S; ++s) taps[s] = load(w + s * lanes);
#pragma GCC unroll 32
    for (int i = 0; i < (columns - 1) * stride + S; ++i, x += a.in_step) {
      const Vec xi = input<single>(x);
#pragma GCC unroll 8
      for (int s = 0; s < S; ++s)
        if ((i - s) % stride == 0 && i >= s && (i - s) / stride < columns)
          sum[(i - s) / stride] = fma(xi, taps[s], sum[(i - s) / stride]);
    }
  } else {
    for (int64_t s = 0; s < a.taps; ++s, x += a.in_step, w += lanes) {
      const Vec tap = load(w);
#pragma GCC unroll 8
      for (int i = 0; i < columns; ++i)
        sum[i] = fma(input<single>(x + i * a.stride * a.in_step), tap, sum[i]);
    }
  }
}

template <int S, int stride, int columns, bool single>
void convolve_tile(const GroupedRow& a, const float* in, float* out) {
  for (int64_t v = 0; v < a.vectors; ++v) {
    const float* x_vector = in + (single ? v / a.group_vectors * a.planes : v * lanes);
    const float* w = a.w + v * a.w_vector;
    Vec sum[columns];
    const Vec start = load(a.start + v * lanes);
#pragma GCC unroll 8
    for (int i = 0; i < columns; ++i) sum[i] = start;
    for (int64_t row = 0; row < a.rows; ++row) {
      const float* x = x_vector + row * a.in_row;
      for (int64_t plane = 0; plane < a.planes; ++plane, x += a.in_plane, w += a.taps * lanes)
        add_kernel_row<S, stride, columns, single>(a, x, w, sum);
    }
    float* y = out + v * lanes;
#pragma GCC unroll 8
    for (int i = 0; i < columns; ++i, y += a.out_step) store(y, sum[i]);
  }
}

// Tiles of one width; the last one ends with the row and may repeat outputs of the one before.
template <int S, int stride, int columns, bool single>
void convolve_tiles(const GroupedRow& a) {
  const int64_t step = (S > 0 ? stride : a.stride) * a.in_step;
  for (int64_t q = 0; q < a.columns; q += columns) {
    const int64_t at = std::min(q, a.columns - columns);
    convolve_tile<S, stride, columns, single>(a, a.in + at * step, a.out + at * a.out_step);
  }
}

using Tiles = void (*)(const GroupedRow&);

template <int S, int stride, bool single, size_t... i>
constexpr std::array<Tiles, sizeof...(i)> tiles_by_columns(std::index_sequence<i...>) {
  return {convolve_tiles<S, stride, static_cast<int>(i) + 1, single>...};
}

template <bool single>
Tiles tiles_for(int64_t taps, int64_t stride, int64_t columns) {
  const auto table = [&]<int S, int fixed>() {
    static constexpr auto by_columns =
        tiles_by_columns<S, fixed, single>(std::make_index_sequence<most_columns>());
    return by_columns[columns - 1];
  };
  if (stride == 1) {
    if (taps == 1) return table.template operator()<1, 1>();
    if (taps == 2) return table.template operator()<2, 1>();
    if (taps == 3) return table.template operator()<3, 1>();
    if (taps == 5) return table.template operator()<5, 1>();
  } else if (stride == 2) {
    if (taps == 3) return table.template operator()<3, 2>();
    if (taps == 5) return table.template operator()<5, 2>();
  }
  return table.template operator()<0, 1>();
}

// S taps of `rows` kernel rows at once: as many sums as registers allow, and enough to hide the latency.
template <int S, int rows, bool single>
void accumulate(const GroupedTaps& a, const float* x0, float* sums) {
  Vec sum[rows][S];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int s = 0; s < S; ++s) sum[r][s] = load(sums + r * a.sums_row + s * lanes);
  for (int64_t p = 0; p < a.rows; ++p) {
    const float *x = x0 + p * a.x_row, *dy = a.dy + p * a.dy_row;
    for (int64_t q = 0; q < a.columns; ++q, x += a.x_step, dy += a.dy_step) {
      const Vec d = load(dy);
      const float* tap = x;
#pragma GCC unroll 8
      for (int s = 0; s < S; ++s, tap += a.x_tap)
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r) sum[r][s] = fma(input<single>(tap + r * a.x_kernel_row), d, sum[r][s]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int s = 0; s < S; ++s) store(sums + r * a.sums_row + s * lanes, sum[r][s]);
}

using AccumulateRows = void (*)(const GroupedTaps&, const float* x0, float* sums);

// S taps of all kernel rows, some at a time.
template <int S, int most, bool single>
void accumulate_rows(const GroupedTaps& a, int64_t first_tap) {
  const float* x = a.x + first_tap * a.x_tap;
  float* sums = a.sums + first_tap * lanes;
  static constexpr auto by_rows = []<size_t... i>(std::index_sequence<i...>) {
    return std::array<AccumulateRows, most>{accumulate<S, static_cast<int>(i) + 1, single>...};
  }
  (std::make_index_sequence<most>());
  for (int64_t row = 0; row < a.kernel_rows;) {
    const int64_t now = std::min<int64_t>(most, a.kernel_rows - row);
    by_rows[now - 1](a, x + row * a.x_kernel_row, sums + row * a.sums_row);
    row += now;
  }
}

template <bool single>
void accumulate_all(const GroupedTaps& a) {
  for (int64_t tap = 0; tap < a.taps;) {
    const int64_t left = a.taps - tap, now = left == 5 || left <= 3 ? left : left == 4 ? 2 : 3;
    if (now == 1) accumulate_rows<1, 5, single>(a, tap);
    if (now == 2) accumulate_rows<2, 5, single>(a, tap);
    if (now == 3) accumulate_rows<3, 3, single>(a, tap);
    if (now == 5) accumulate_rows<5, 2, single>(a, tap);
    tap += now;
  }
}

}  // namespace

void convolve_row(const GroupedRow& a) {
  if (a.columns <= 0) return;
  const int64_t columns = ceil_div(a.columns, ceil_div(a.columns, most_columns));
  const Tiles f = a.group_vectors > 0 ? tiles_for<true>(a.taps, a.stride, columns)
                                      : tiles_for<false>(a.taps, a.stride, columns);
  f(a);
}

void accumulate_taps(const GroupedTaps& a) {
  a.single ? accumulate_all<true>(a) : accumulate_all<false>(a);
}

}  // namespace eb::kernels::cpu
