// Building blocks of the tensor-core convolutions: tile sizes, swizzled tiles in shared memory, fragments and
// multiplies for four kinds of arithmetic. A tile is K-major (rows are m or n, the reduction runs along a
// row) or MN-major (rows are steps of the reduction).
#pragma once
#include "kernels/cuda/gemm/ptx.cuh"

namespace eb::kernels::cuda {

// (m, n) outputs of a block over warps_m x warps_n warps; `stages` chunks of the reduction are under way at
// once. Predicted from registers and shared memory (docs/kernels.md), to be measured on a card.
struct LargeTile {
  static constexpr int m = 128, n = 128, warps_m = 2, warps_n = 4, stages = 3;
};
struct MediumTile {
  static constexpr int m = 128, n = 64, warps_m = 2, warps_n = 2, stages = 4;
};
struct SmallTile {
  static constexpr int m = 64, n = 64, warps_m = 2, warps_n = 2, stages = 4;
};
template <class Tile>
inline constexpr int threads_of = Tile::warps_m* Tile::warps_n* warp_size;

// Arithmetic. `parts` is the number of registers an element becomes; k_step what one multiply reduces over;
// k_chunk what one stage holds (64 bytes of a row).
struct Bf16Math {
  using T = bf16;
  using Sum = float;
  static constexpr int k_step = 16, k_chunk = 32, parts = 1;
};
struct Tf32Math {  // 11 significant bits
  using T = float;
  using Sum = float;
  static constexpr int k_step = 8, k_chunk = 16, parts = 1;
};
// x = high + low in tf32, three products of four: about 21 significant bits, a third of the rate. A tensor
// core rounds its sums toward zero, a bias that would grow with every multiply into the same accumulator:
// each step is summed from zero, and added by an addition that rounds to nearest.
struct F32Math {
  using T = float;
  using Sum = float;
  static constexpr int k_step = 8, k_chunk = 16, parts = 2;
};
// Codes of block floating point: exact sums. Operands are K-major only, no matrix load transposes bytes.
struct Int8Math {
  using T = int8_t;
  using Sum = int32_t;
  static constexpr int k_step = 32, k_chunk = 64, parts = 1;
};

// Rows of `columns` elements in 16-byte pieces. The pieces of a row change places with the row so that eight
// rows' pieces of one column lie in different banks, and of 4-byte elements also two neighbouring pieces of
// four rows, which is what a warp reads of an MN-major tile (word_of).
template <class T, int rows_, int columns_>
struct SharedTile {
  static constexpr int rows = rows_, columns = columns_;
  static constexpr int piece = 16 / sizeof(T), pieces = columns / piece;
  static_assert(columns % piece == 0);
  T data[rows * columns];

  __device__ static int offset(int row, int column) {
    constexpr int rows_per_line = pieces >= 8 ? 1 : 8 / pieces, mask = (pieces < 8 ? pieces : 8) - 1;
    const int line = row / rows_per_line;
    const int key = sizeof(T) == 4 && pieces >= 8 ? (line & 3) << 1 | (line >> 2 & 1) : line & mask;
    const int swizzled = (column / piece) ^ key;
    return (row * pieces + swizzled) * piece + column % piece;
  }
  __device__ T* at(int row, int column) { return data + offset(row, column); }
  __device__ const T* at(int row, int column) const { return data + offset(row, column); }
};

template <class Math, int registers>
struct Fragment {
  uint32_t r[Math::parts][registers];
};

// What the tensor core wants of a float that was loaded as it is.
template <class Math, int registers>
__device__ void convert(Fragment<Math, registers>& f) {
  if constexpr (sizeof(typename Math::T) == 4) {
#pragma unroll
    for (int i = 0; i < registers; ++i) {
      const float x = float_of(f.r[0][i]);
      f.r[0][i] = to_tf32(x);
      if constexpr (Math::parts == 2) f.r[1][i] = to_tf32(x - float_of(f.r[0][i]));
    }
  }
}

// One 32-bit element (f32 only) of an MN-major tile.
template <class Tile>
__device__ uint32_t word_of(const Tile& tile, int k, int mn) {
  return bits_of(*tile.at(k, mn));
}

// a (16, k_step) at (m, k) of the tile.
template <class Math, bool k_major, class Tile>
__device__ void load_a(Fragment<Math, 4>& a, const Tile& tile, int m, int k, int lane_id) {
  constexpr int half = Math::k_step / 2;
  if constexpr (k_major) {
    load_matrix_x4<false>(a.r[0], tile.at(m + lane_id % 16, k + lane_id / 16 * half));
  } else if constexpr (sizeof(typename Math::T) == 2) {
    load_matrix_x4<true>(a.r[0], tile.at(k + lane_id % 8 + lane_id / 16 * 8, m + lane_id / 8 % 2 * 8));
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i)
      a.r[0][i] = word_of(tile, k + lane_id % 4 + i / 2 * 4, m + lane_id / 4 + i % 2 * 8);
  }
  convert(a);
}

// b (k_step, 16) at (k, n): two neighbouring (k_step, 8) operands.
template <class Math, bool k_major, class Tile>
__device__ void load_b(Fragment<Math, 4>& b, const Tile& tile, int n, int k, int lane_id) {
  constexpr int half = Math::k_step / 2;
  if constexpr (k_major) {
    load_matrix_x4<false>(b.r[0], tile.at(n + lane_id % 8 + lane_id / 16 * 8, k + lane_id / 8 % 2 * half));
  } else if constexpr (sizeof(typename Math::T) == 2) {
    load_matrix_x4<true>(b.r[0], tile.at(k + lane_id % 16, n + lane_id / 16 * 8));
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i)
      b.r[0][i] = word_of(tile, k + lane_id % 4 + i % 2 * 4, n + lane_id / 4 + i / 2 * 8);
  }
  convert(b);
}

// d (16, 8) += a (16, k_step) times the first or second half of b.
template <class Math>
__device__ void multiply(typename Math::Sum (&d)[4], const Fragment<Math, 4>& a, const Fragment<Math, 4>& b,
                         int second) {
  const auto half = [&](int part, uint32_t(&out)[2]) {
    out[0] = b.r[part][2 * second];
    out[1] = b.r[part][2 * second + 1];
  };
  uint32_t high[2];
  half(0, high);
  if constexpr (Math::parts == 2) {
    uint32_t low[2];
    half(1, low);
    float step[4] = {};
    multiply_tf32(step, a.r[1], high);
    multiply_tf32(step, a.r[0], low);
    multiply_tf32(step, a.r[0], high);
#pragma unroll
    for (int i = 0; i < 4; ++i) d[i] += step[i];
  } else if constexpr (sizeof(typename Math::T) == 1)
    multiply_s8(d, a.r[0], high);
  else if constexpr (sizeof(typename Math::T) == 2)
    multiply_bf16(d, a.r[0], high);
  else
    multiply_tf32(d, a.r[0], high);
}

// `width` elements from global to shared memory, zeros where in_range is false. Under four bytes there is no
// asynchronous copy: the element goes through a register.
template <int width, class T>
__device__ void copy_elements(T* to, const T* from, bool in_range) {
  constexpr int bytes = width * static_cast<int>(sizeof(T));
  if constexpr (bytes >= 4)
    copy_async<bytes>(to, from, in_range);
  else
    *to = in_range ? *from : T{};
}

}  // namespace eb::kernels::cuda
