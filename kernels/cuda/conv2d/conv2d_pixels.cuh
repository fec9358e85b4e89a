// Forward and backward-data as one kernel: rows are pixels of the result, columns its channels. They differ
// in the loader of the weights and in which way the window is walked.
#pragma once
#include "kernels/conv2d.h"
#include "kernels/cuda/conv2d/conv2d_dispatch.cuh"
#include "kernels/cuda/conv2d/conv2d_loaders.cuh"
#include "kernels/cuda/conv2d/conv2d_raster.cuh"
#include "kernels/cuda/largest.cuh"
#include "kernels/cuda/moments.cuh"

namespace eb::kernels::cuda {

// Operands of T, results of Out.
template <class T, class Out, int width, bool transposed>
struct PixelGemm {
  using Weights = std::conditional_t<transposed, WeightLoader<T, width>, MatrixLoader<T, width>>;
  PixelLoader<T, width, transposed> pixels;
  Weights weights;
  Out* out;  // (pixels, out_stride)
  Raster raster;
  Scatter scatter;              // transposed: which pixels the rows are
  const float* bias;            // of the group, or null
  float* moments = nullptr;     // (tiles of rows, 2, out_stride), or null
  uint32_t* largest = nullptr;  // (samples), or null; only where T is Coded
  int64_t out_columns, out_stride;
  int chunks;
  // Distance between groups, in elements.
  int64_t map_group, weight_group;
};

template <class Tile, class Math, bool transposed>
using PixelShape = GemmShape<Tile, Math, true, !transposed>;

template <class Tile, class Math, bool transposed, class Out>
struct PixelStorage {
  using Shape = PixelShape<Tile, Math, transposed>;
  GemmStorage<Shape, Out> gemm;
  typename PixelLoader<typename Math::T, 1, transposed>::Row rows[Tile::m];
};

// Blocks a processor must hold, 0 for no bound. In f32 a step's sums are registers too, of which the compiler
// would spend what leaves one block of the large tile; the small tile of codes spills for a seventh (sm_80).
// The others are better off without a bound.
template <class Tile, class Math, bool transposed, class T>
inline constexpr int resident_blocks = std::is_same_v<Math, F32Math>
                                           ? (std::is_same_v<Tile, LargeTile>    ? 2
                                              : std::is_same_v<Tile, MediumTile> ? 3
                                                                                 : 4)
                                       : std::is_same_v<Tile, SmallTile>&& std::is_same_v<T, Coded> ? 5
                                                                                                    : 0;

template <class Tile, class Math, int width, bool transposed, class T, class Out>
__global__ void __launch_bounds__(threads_of<Tile>, (resident_blocks<Tile, Math, transposed, T>))
    conv2d_pixels_kernel(PixelGemm<T, Out, width, transposed> p) {
  using Shape = PixelShape<Tile, Math, transposed>;
  auto& storage = shared<PixelStorage<Tile, Math, transposed, Out>>();
  using Row = typename PixelLoader<T, width, transposed>::Row;
  Row* rows = reinterpret_cast<Row*>(storage.rows);

  uint32_t column_tile;
  const uint32_t row_tile = p.raster.row_tile(column_tile);
  // The row in 32 bits: held through the loop, where registers are short. The column so, too, spills more on
  // sm_80.
  const int first_row = static_cast<int>(row_tile) * Tile::m;
  const int64_t first_column = int64_t{column_tile} * Tile::n;
  p.pixels.map += blockIdx.z * p.map_group;
  if constexpr (transposed)
    p.weights.w += blockIdx.z * p.weight_group;
  else
    p.weights.matrix += blockIdx.z * p.weight_group;

  for (int i = threadIdx.x; i < Tile::m; i += Shape::threads) rows[i] = p.pixels.row(first_row + i);
  sync_threads();

  Accumulators<Shape> sums;
  gemm<Shape>(
      sums, storage.gemm.stages(), p.chunks, [&](auto& tile, int chunk) { p.pixels.load(tile, rows, chunk); },
      [&](auto& tile, int chunk) {
        if constexpr (transposed)
          p.weights.load(tile, int64_t{chunk} * Shape::k, first_column);
        else
          p.weights.load(tile, first_column, int64_t{chunk} * Shape::k);
      });

  const int64_t group_column = blockIdx.z * p.out_columns + first_column;
  const int64_t rows_left = p.pixels.rows - first_row, columns_left = p.out_columns - first_column;
  // One 32-bit comparison a column, or the epilogue spills.
  const int biased = !p.bias ? 0 : columns_left < Tile::n ? static_cast<int>(columns_left) : Tile::n;
  const auto add_bias = [&](int, int column, float sum) {
    return sum + (column < biased ? p.bias[group_column + column] : 0.f);
  };
  const auto row_at = [&](int row) {
    const int64_t position = int64_t{first_row} + row;
    if constexpr (transposed)
      return p.scatter.pixel(p.pixels, position) * p.out_stride + group_column;
    else
      return position * p.out_stride + group_column;
  };
  if (p.out_columns % widest<Out> == 0 && p.out_stride % widest<Out> == 0)
    store_tile<Shape, widest<Out>>(sums, storage.gemm, p.out, rows_left, columns_left, row_at, add_bias);
  else
    store_tile<Shape, 1>(sums, storage.gemm, p.out, rows_left, columns_left, row_at, add_bias);
  if constexpr (!transposed && std::is_same_v<T, Coded>) {
    if (p.largest)
      merge_largest<Tile::m, Tile::n, threads_of<Tile>>(storage.gemm, first_row, rows_left,
                                                        p.pixels.by_grid_hw, p.largest);
  } else if constexpr (!transposed) {
    static_assert(Shape::threads == 2 * Tile::n);
    if (p.moments)
      store_moments<Tile::m, Tile::n>(storage.gemm, rows_left, columns_left, p.out_stride,
                                      p.moments + int64_t{row_tile} * 2 * p.out_stride + group_column);
  }
}

template <class Tile, class Math, int width, bool transposed, class T, class Out>
void launch_pixels(const char* name, PixelGemm<T, Out, width, transposed> p, int64_t groups) {
  using Storage = PixelStorage<Tile, Math, transposed, Out>;
  const int64_t columns = ceil_div(p.out_columns, Tile::n);
  p.raster = Raster(columns);
  launch({name,
          dim3(static_cast<unsigned>(ceil_div(p.pixels.rows, Tile::m) * columns), 1,
               static_cast<unsigned>(groups)),
          dim3(threads_of<Tile>), sizeof(Storage)},
         conv2d_pixels_kernel<Tile, Math, width, transposed, T, Out>, p);
}

}  // namespace eb::kernels::cuda
