// The inner loop of the weight gradient: acc (ks, cs) += sum over positions dy (positions, ks)^T x
// (positions, cs), with the whole tile in registers.
#pragma once
#include <cstdint>

#include "kernels/cpu/vec.h"

namespace eb::kernels::cpu {

constexpr int tile_k = 6;          // 6 x 2 vectors of sums, 2 of x, 1 of dy: 15 of 16 registers
constexpr int tile_c = 2 * lanes;  // channels of a tile

// Which positions to visit: `rows` rows of `run` positions; strides in floats.
struct Walk {
  int64_t rows, run;
  int64_t x_row, x_step;
  int64_t dy_row, dy_step;
  int64_t x_ahead = 0, dy_ahead = 0;  // how far ahead to prefetch; 0 costs nothing that can be measured
};

template <int ks, int vectors>
void accumulate(Walk w, const float* x, const float* dy, float* acc, int64_t acc_stride) {
  Vec sum[ks][vectors];
  for (int i = 0; i < ks; ++i)
    for (int j = 0; j < vectors; ++j) sum[i][j] = load(acc + i * acc_stride + j * lanes);
  for (int64_t row = 0; row < w.rows; ++row) {
    const float *xi = x + row * w.x_row, *di = dy + row * w.dy_row;
    for (int64_t left = w.run; left > 0; --left, xi += w.x_step, di += w.dy_step) {
      prefetch(xi + w.x_ahead);
      prefetch(di + w.dy_ahead);
      Vec xs[vectors];
      for (int j = 0; j < vectors; ++j) xs[j] = load(xi + j * lanes);
#pragma GCC unroll 6
      for (int i = 0; i < ks; ++i) {
        const Vec d = broadcast(di[i]);
        for (int j = 0; j < vectors; ++j) sum[i][j] = fma(d, xs[j], sum[i][j]);
      }
    }
  }
  for (int i = 0; i < ks; ++i)
    for (int j = 0; j < vectors; ++j) store(acc + i * acc_stride + j * lanes, sum[i][j]);
}

using Accumulate = void (*)(Walk, const float* x, const float* dy, float* acc, int64_t acc_stride);

// By the number of output channels (1 to 6) and vectors (1 or 2) of the tile.
constexpr Accumulate accumulate_table[tile_k][2] = {
    {accumulate<1, 1>, accumulate<1, 2>}, {accumulate<2, 1>, accumulate<2, 2>},
    {accumulate<3, 1>, accumulate<3, 2>}, {accumulate<4, 1>, accumulate<4, 2>},
    {accumulate<5, 1>, accumulate<5, 2>}, {accumulate<6, 1>, accumulate<6, 2>}};

}  // namespace eb::kernels::cpu
