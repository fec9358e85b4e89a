// Where a block's tile of results lies: which tile it is, and which pixels its rows are.
#pragma once
#include "kernels/cuda/platform/platform.cuh"

namespace eb::kernels::cuda {

// Rows and columns of tiles, counted by one dimension of the grid. Columns run fastest: blocks that run at
// the same time share rows of the map, which are then read from memory once and not once a column.
struct Raster {
  FastDivide by_columns;
  Raster() = default;
  explicit Raster(int64_t column_tiles) : by_columns(column_tiles) {}
  __device__ uint32_t row_tile(uint32_t& column_tile) const {
    return by_columns.divide(blockIdx.x, column_tile);
  }
};

// Backward-data of a stride: the pixels of dx that share a remainder modulo the stride read the same taps,
// and among themselves they are a convolution of stride 1. One launch for each remainder, none of whose
// products is with a zero that the stride put there.
struct Scatter {
  int h = 0, w = 0, stride_h = 1, stride_w = 1, first_h = 0, first_w = 0;
  template <class Loader>
  __device__ int64_t pixel(const Loader& loader, int64_t position) const {
    if (stride_h == 1 && stride_w == 1) return position;
    uint32_t rest, j;
    const uint32_t n = loader.by_grid_hw.divide(static_cast<uint32_t>(position), rest);
    const uint32_t i = loader.by_grid_w.divide(rest, j);
    return (int64_t{n} * h + first_h + int64_t{i} * stride_h) * w + first_w + int64_t{j} * stride_w;
  }
};

}  // namespace eb::kernels::cuda
