// Loaders of the implicit-GEMM convolutions: each fills one stage of an operand's tile straight from the NHWC
// tensor, zeros where the convolution reads padding. The im2col matrix is never stored. Elements of type
// Coded are expanded to bf16 on the way.
#pragma once
#include "kernels/cuda/coded.cuh"
#include "kernels/cuda/gemm/gemm.cuh"

namespace eb::kernels::cuda {

// Rows of a tile at one column, as many as make all of it with the block's other threads. Source: element
// `from` of the map for a row, zeros where it is not in range. Elements under four bytes go through
// registers: eight loads are under way before the first is stored, or each would wait for the one before.
template <class T>
struct Source {
  PointerTo<T> from;
  bool in_range;
};
template <class T, int width, class Tile, class SourceOf>
__device__ void copy_rows(Tile& tile, int column, const SourceOf& source_of) {
  constexpr int per_row = Tile::columns / width;
  const int first = threadIdx.x / per_row, step = blockDim.x / per_row;
  if constexpr (std::is_same_v<T, Coded>) {
    constexpr int at_once = width == 8 ? 4 : 8;
    for (int begin = first; begin < Tile::rows; begin += at_once * step) {
      Codes<width> v[at_once];
#pragma unroll
      for (int i = 0; i < at_once; ++i) {
        const int row = begin + i * step;
        const Source<T> source = source_of(row < Tile::rows ? row : begin);
        v[i].load(source.from, source.in_range);
      }
#pragma unroll
      for (int i = 0; i < at_once; ++i)
        if (const int row = begin + i * step; row < Tile::rows) v[i].store(tile.at(row, column));
    }
  } else if constexpr (width * sizeof(T) >= 4) {
    for (int row = first; row < Tile::rows; row += step) {
      const Source<T> source = source_of(row);
      copy_elements<width>(tile.at(row, column), source.from, source.in_range);
    }
  } else {
    constexpr int at_once = 8;
    for (int begin = first; begin < Tile::rows; begin += at_once * step) {
      T v[at_once];
#pragma unroll
      for (int i = 0; i < at_once; ++i) {
        const int row = begin + i * step;
        const Source<T> source = source_of(row < Tile::rows ? row : begin);
        v[i] = source.in_range ? *source.from : T{};
      }
#pragma unroll
      for (int i = 0; i < at_once; ++i)
        if (const int row = begin + i * step; row < Tile::rows) *tile.at(row, column) = v[i];
    }
  }
}

// The r x s window over a map, shared by all loaders.
struct Window {
  int h, w;          // of the map that is read
  int64_t channels;  // of that map, all groups
  int stride_h, stride_w, pad_h, pad_w;
  int taps;  // r * s
  FastDivide by_s;
};

// Rows are positions (n, i, j) of a grid, columns k = (tap, c) of the map under them. Forward: the grid is y,
// the map x. Backward-data (transposed): the grid is those pixels of dx that share a remainder modulo the
// stride, the map dy; there the stride is 1 and taps count backwards.
template <class T, int width, bool transposed>
struct PixelLoader {
  PointerTo<T> map;  // (N, h, w, channels), at the group's first channel
  Window window;
  FastDivide by_group;  // channels of a group
  FastDivide by_grid_w, by_grid_hw;
  int64_t rows;  // positions of the grid

  struct Row {
    int image = -1, i = 0, j = 0;  // first pixel of the image, or -1 behind the last row; window's corner
  };

  __device__ Row row(int64_t position) const {
    if (position >= rows) return {};
    uint32_t rest, j;
    const uint32_t n = by_grid_hw.divide(static_cast<uint32_t>(position), rest);
    const uint32_t i = by_grid_w.divide(rest, j);
    Row r;
    r.image = static_cast<int>(n) * window.h * window.w;
    r.i = transposed ? static_cast<int>(i) + window.pad_h
                     : static_cast<int>(i) * window.stride_h - window.pad_h;
    r.j = transposed ? static_cast<int>(j) + window.pad_w
                     : static_cast<int>(j) * window.stride_w - window.pad_w;
    return r;
  }

  // Source row or column of the tap, or -1.
  __device__ static int source(int corner, int tap, int extent) {
    const int at = transposed ? corner - tap : corner + tap;
    return at >= 0 && at < extent ? at : -1;
  }

  template <class Tile>
  __device__ void load(Tile& tile, const Row* table, int chunk) const {
    constexpr int per_row = Tile::columns / width;
    const int column = threadIdx.x % per_row * width;
    uint32_t c, s;
    const uint32_t tap = by_group.divide(static_cast<uint32_t>(chunk * Tile::columns + column), c);
    const uint32_t r = window.by_s.divide(tap, s);
    const bool in_taps = static_cast<int>(tap) < window.taps;
    copy_rows<T, width>(tile, column, [&](int row) -> Source<T> {
      const Row& at = table[row];
      const int i = source(at.i, static_cast<int>(r), window.h);
      const int j = source(at.j, static_cast<int>(s), window.w);
      const bool in_range = in_taps && at.image >= 0 && i >= 0 && j >= 0;
      const int64_t pixel = in_range ? at.image + int64_t{i} * window.w + j : 0;
      return {map + pixel * window.channels + (in_range ? c : 0), in_range};
    });
  }
};

// Rows are positions of y (a chunk of the reduction), columns (tap, c) of x: the right operand of
// backward-weight. A thread keeps its columns, so only rows are decoded.
template <class T, int width>
struct ColumnLoader {
  PointerTo<T> map;  // x at the group's first channel
  Window window;
  FastDivide by_group, by_grid_w, by_grid_hw;

  template <class Tile>
  __device__ void load(Tile& tile, int64_t first_row, int64_t end_row, int64_t first_column) const {
    constexpr int per_row = Tile::columns / width;
    const int column = threadIdx.x % per_row * width;
    uint32_t c, s;
    const uint32_t tap = by_group.divide(static_cast<uint32_t>(first_column + column), c);
    const uint32_t r = window.by_s.divide(tap, s);
    copy_rows<T, width>(tile, column, [&](int row) -> Source<T> {
      uint32_t rest, q;
      const auto position = static_cast<uint32_t>(first_row + row);
      const uint32_t n = by_grid_hw.divide(position, rest);
      const uint32_t p = by_grid_w.divide(rest, q);
      const int i = static_cast<int>(p) * window.stride_h - window.pad_h + static_cast<int>(r);
      const int j = static_cast<int>(q) * window.stride_w - window.pad_w + static_cast<int>(s);
      const bool in_range = static_cast<int>(tap) < window.taps && position < end_row && i >= 0 &&
                            i < window.h && j >= 0 && j < window.w;
      const int64_t pixel = in_range ? (int64_t{n} * window.h + i) * window.w + j : 0;
      return {map + pixel * window.channels + (in_range ? c : 0), in_range};
    });
  }
};

// A rectangle of a row-major matrix, zeros outside it.
template <class T, int width>
struct MatrixLoader {
  PointerTo<T> matrix;
  int64_t rows, columns, stride;

  template <class Tile>
  __device__ void load(Tile& tile, int64_t first_row, int64_t first_column) const {
    constexpr int per_row = Tile::columns / width;
    const int column = threadIdx.x % per_row * width;
    copy_rows<T, width>(tile, column, [&](int row) -> Source<T> {
      const bool in_range = first_row + row < rows && first_column + column < columns;
      return {matrix + (in_range ? (first_row + row) * stride + first_column + column : 0), in_range};
    });
  }
};

// Weights as backward-data reads them: row (tap, k) of the reduction, column c. Reads OHWI as it is, so no
// transposed copy is kept. With a stride, tap (t, u) is every stride-th of the window from (first, first).
template <class T, int width>
struct WeightLoader {
  PointerTo<T> w;         // (K, taps, C / groups), at the group's first filter
  int64_t rows;           // taps read * K / groups
  int64_t columns;        // C / groups
  int taps;               // of the window
  FastDivide by_filters;  // K / groups
  FastDivide by_s;        // taps read of a row of the window
  int first_tap, step_r, step_s;

  template <class Tile>
  __device__ void load(Tile& tile, int64_t first_row, int64_t first_column) const {
    constexpr int per_row = Tile::columns / width;
    const int column = threadIdx.x % per_row * width;
    copy_rows<T, width>(tile, column, [&](int row) -> Source<T> {
      uint32_t filter;
      uint32_t u;
      const uint32_t t = by_s.divide(by_filters.divide(static_cast<uint32_t>(first_row + row), filter), u);
      const int tap = first_tap + static_cast<int>(t) * step_r + static_cast<int>(u) * step_s;
      const bool in_range = first_row + row < rows && first_column + column < columns;
      const int64_t at = in_range ? (int64_t{filter} * taps + tap) * columns + first_column + column : 0;
      return {w + at, in_range};
    });
  }
};

}  // namespace eb::kernels::cuda
