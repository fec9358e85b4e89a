// Forward and backward-data on codes as one kernel, the int8 twin of conv2d_pixels.cuh: int32 sums of
// products, one scale for each output. Both operands are K-major: backward-data reads transposed weights.
#pragma once
#include "kernels/cuda/conv2d/conv2d_int8.cuh"
#include "kernels/cuda/conv2d/conv2d_pixels.cuh"

namespace eb::kernels::cuda {

// Weights (C, taps, K) of backward-data: row c, column (tap, k) over the taps that a remainder of the stride
// reads, every step-th of the window from the first.
template <int width>
struct TransposedWeightLoader {
  const int8_t* matrix;
  int64_t rows, columns;  // C, taps read * K
  int taps;               // of the window
  FastDivide by_filters;  // K
  FastDivide by_s;        // taps read of a row of the window
  int first_tap, step_r, step_s;

  template <class Tile>
  __device__ void load(Tile& tile, int64_t first_row, int64_t first_column) const {
    constexpr int per_row = Tile::columns / width;
    const int column = threadIdx.x % per_row * width;
    uint32_t filter, u;
    const uint32_t t =
        by_s.divide(by_filters.divide(static_cast<uint32_t>(first_column + column), filter), u);
    const int64_t tap = first_tap + static_cast<int>(t) * step_r + static_cast<int>(u) * step_s;
    copy_rows<int8_t, width>(tile, column, [&](int row) -> Source<int8_t> {
      const bool in_range = first_row + row < rows && first_column + column < columns;
      const int64_t at = in_range ? ((first_row + row) * taps + tap) * by_filters.divisor + filter : 0;
      return {matrix + at, in_range};
    });
  }
};

template <class Out, int width, bool transposed>
struct Int8Gemm {
  using Weights = std::conditional_t<transposed, TransposedWeightLoader<width>, MatrixLoader<int8_t, width>>;
  PixelLoader<int8_t, width, transposed> pixels;
  Weights weights;
  BlockScales samples, filters;  // transposed: filters are w's only block
  Out* out;                      // (pixels, out_stride)
  Raster raster;
  Scatter scatter;              // transposed: which pixels the rows are
  const float* bias = nullptr;  // of the group, or null
  uint32_t* largest = nullptr;  // (samples), or null
  int64_t out_columns, out_stride;
  int chunks;
  int64_t map_group, weight_group;  // distance between groups
};

template <class Tile>
using Int8Shape = GemmShape<Tile, Int8Math, true, true>;

template <class Tile, class Out>
struct Int8Storage {
  GemmStorage<Int8Shape<Tile>, Out> gemm;
  PixelLoader<int8_t, 1, true>::Row rows[Tile::m];
  float row_scale[Tile::m], column_scale[Tile::n], bias[Tile::n];
};

// The tables of a tile: rows of the map, scales, bias. Nothing where there is no row or column; -0 is the
// bias that changes no bit.
template <class Tile, class Out, int width, bool transposed, class Row>
__device__ void fill_tables(Int8Storage<Tile, Out>& s, Row* rows, const Int8Gemm<Out, width, transposed>& p,
                            int64_t first_row, int64_t first_column) {
  for (int i = threadIdx.x; i < Tile::m; i += threads_of<Tile>) {
    const int64_t position = first_row + i;
    rows[i] = p.pixels.row(position);
    s.row_scale[i] = position < p.pixels.rows
                         ? p.samples.at(p.pixels.by_grid_hw.divide(static_cast<uint32_t>(position)))
                         : 0.f;
  }
  for (int i = threadIdx.x; i < Tile::n; i += threads_of<Tile>) {
    const int64_t column = blockIdx.z * p.out_columns + first_column + i;
    const bool exists = first_column + i < p.out_columns;
    s.column_scale[i] = exists ? p.filters.at(column) : 0.f;
    s.bias[i] = exists && p.bias ? p.bias[column] : -0.f;
  }
}

template <class Tile, class Out, int width, bool transposed>
__global__ void __launch_bounds__(threads_of<Tile>) conv2d_int8_kernel(Int8Gemm<Out, width, transposed> p) {
  using Shape = Int8Shape<Tile>;
  auto& s = shared<Int8Storage<Tile, Out>>();
  auto* rows = reinterpret_cast<typename PixelLoader<int8_t, width, transposed>::Row*>(s.rows);
  uint32_t column_tile;
  const uint32_t row_tile = p.raster.row_tile(column_tile);
  const int64_t first_row = int64_t{row_tile} * Tile::m, first_column = int64_t{column_tile} * Tile::n;
  p.pixels.map += blockIdx.z * p.map_group;
  p.weights.matrix += blockIdx.z * p.weight_group;
  fill_tables(s, rows, p, first_row, first_column);
  sync_threads();

  Accumulators<Shape> sums;
  gemm<Shape>(
      sums, s.gemm.stages(), p.chunks, [&](auto& tile, int chunk) { p.pixels.load(tile, rows, chunk); },
      [&](auto& tile, int chunk) { p.weights.load(tile, first_column, int64_t{chunk} * Shape::k); });

  // The product with a power of two is exact, so it does not matter whether the sum is fused to it.
  const auto finish = [&](int row, int column, int32_t sum) {
    return static_cast<float>(sum) * (s.row_scale[row] * s.column_scale[column]) + s.bias[column];
  };
  const int64_t group_column = blockIdx.z * p.out_columns + first_column;
  const int64_t rows_left = p.pixels.rows - first_row, columns_left = p.out_columns - first_column;
  const auto row_at = [&](int row) {
    const int64_t position = first_row + row;
    if constexpr (transposed)
      return p.scatter.pixel(p.pixels, position) * p.out_stride + group_column;
    else
      return position * p.out_stride + group_column;
  };
  constexpr int widest_store = widest<Out>;
  if (p.out_columns % widest_store == 0)
    store_tile<Shape, widest_store>(sums, s.gemm, p.out, rows_left, columns_left, row_at, finish);
  else
    store_tile<Shape, 1>(sums, s.gemm, p.out, rows_left, columns_left, row_at, finish);
  if constexpr (!transposed)
    if (p.largest)
      merge_largest<Tile::m, Tile::n, threads_of<Tile>>(s.gemm, first_row, rows_left, p.pixels.by_grid_hw,
                                                        p.largest);
}

// f.operator()<width>(): the widest copy that the channels read of a group allow.
template <class F>
void by_int8_width(int64_t channels, F&& f) {
  if (channels % 16 == 0) return f.template operator()<16>();
  channels % 4 == 0 ? f.template operator()<4>() : f.template operator()<1>();
}

template <class Out, int width, bool transposed>
void launch_int8(const char* name, Int8Gemm<Out, width, transposed> p, int64_t groups) {
  by_tile<Int8Math, width>(device_limits(), p.pixels.rows, p.out_columns, groups, [&]<class Tile>() {
    const int64_t columns = ceil_div(p.out_columns, Tile::n);
    p.raster = Raster(columns);
    launch({name,
            dim3(static_cast<unsigned>(ceil_div(p.pixels.rows, Tile::m) * columns), 1,
                 static_cast<unsigned>(groups)),
            dim3(threads_of<Tile>), sizeof(Int8Storage<Tile, Out>)},
           conv2d_int8_kernel<Tile, Out, width, transposed>, p);
  });
}

}  // namespace eb::kernels::cuda
