// The inner loop of the integer path: pairs of codes, widened to int16, times pairs, added in int32
// (vpmaddwd, or vpdpwssd where the build may use it; vpmaddubsw would ask for unsigned codes). A pair is as
// wide as a float, so this is the tile of conv2d_weight_tile.h with two products for one.
#pragma once
#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace eb::kernels::cpu {

#ifdef __AVX512BW__
constexpr int int_lanes = 16;
using IntVec = __m512i;
inline IntVec load(const int32_t* p) {
  return _mm512_loadu_si512(p);
}
inline void store(int32_t* p, IntVec v) {
  _mm512_storeu_si512(p, v);
}
inline IntVec broadcast(int32_t x) {
  return _mm512_set1_epi32(x);
}
inline IntVec multiply_add(IntVec sum, IntVec a, IntVec b) {
#ifdef __AVX512VNNI__
  return _mm512_dpwssd_epi32(sum, a, b);
#else
  return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
#endif
}
#else
constexpr int int_lanes = 8;
using IntVec = __m256i;
inline IntVec load(const int32_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline void store(int32_t* p, IntVec v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v);
}
inline IntVec broadcast(int32_t x) {
  return _mm256_set1_epi32(x);
}
inline IntVec multiply_add(IntVec sum, IntVec a, IntVec b) {
#ifdef __AVXVNNI__
  return _mm256_dpwssd_avx_epi32(sum, a, b);
#else
  return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
#endif
}
#endif

// to (int_lanes) += v * scale
inline void add_scaled(IntVec v, float scale, float* to) {
#ifdef __AVX512BW__  // the plain conversion of gcc 12's header warns of an uninitialised number
  _mm512_storeu_ps(
      to, _mm512_fmadd_ps(_mm512_maskz_cvtepi32_ps(0xffff, v), _mm512_set1_ps(scale), _mm512_loadu_ps(to)));
#else
  _mm256_storeu_ps(to, _mm256_fmadd_ps(_mm256_cvtepi32_ps(v), _mm256_set1_ps(scale), _mm256_loadu_ps(to)));
#endif
}

// Two codes as int16, the first in the lower half.
using Pair = int32_t;
constexpr Pair pair_of(int8_t first, int8_t second) {
  return static_cast<Pair>(static_cast<uint16_t>(first) | static_cast<uint32_t>(static_cast<uint16_t>(second))
                                                              << 16);
}

constexpr int tile_rows = 6;  // 6 x 2 vectors of sums, 2 of columns, 1 broadcast, 1 product
constexpr int tile_columns = 2 * int_lanes;

// rows x columns runs of `run` pairs each; distances in pairs. One row of the tile is `x_next` behind the one
// before.
struct PairWalk {
  int64_t rows, columns, run;
  int64_t x_row, x_column, x_step, x_next;
  int64_t w_row, w_column, w_step;
};

template <int rows, int vectors>
inline void add_pairs(IntVec (&sum)[rows][vectors], const PairWalk& a, const Pair* x, const Pair* w) {
  const Pair* middle = x + 3 * a.x_next;  // x + 3 next and x + 5 next are beyond the addresses of x86
  for (int64_t left = a.run; left > 0; --left, x += a.x_step, middle += a.x_step, w += a.w_step) {
    IntVec ws[vectors];
    for (int j = 0; j < vectors; ++j) ws[j] = load(w + j * int_lanes);
#pragma GCC unroll 6
    for (int i = 0; i < rows; ++i) {
      const IntVec xi = broadcast(i < 3 ? x[i * a.x_next] : middle[(i - 3) * a.x_next]);
      for (int j = 0; j < vectors; ++j) sum[i][j] = multiply_add(sum[i][j], xi, ws[j]);
    }
  }
}

template <int rows, int vectors>
inline void add_pairs_of_map(IntVec (&sum)[rows][vectors], const PairWalk& a, const Pair* x, const Pair* w) {
  for (int64_t row = 0; row < a.rows; ++row)
    for (int64_t column = 0; column < a.columns; ++column)
      add_pairs(sum, a, x + row * a.x_row + column * a.x_column, w + row * a.w_row + column * a.w_column);
}

}  // namespace eb::kernels::cpu
