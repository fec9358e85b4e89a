// dw (K, R S C) = dy (N P Q, K)^T times columns of x (N P Q, R S C). The reduction runs over pixels, which
// early layers have many of and outputs few: it is split over blocks, and the slices are summed in order, so
// the same input gives the same bits.
#pragma once
#include "kernels/cuda/conv2d/conv2d.cuh"
#include "kernels/cuda/conv2d/conv2d_dispatch.cuh"

namespace eb::kernels::cuda {

// Operands of T: what the arithmetic multiplies, or Coded. Each has its own copy width: an image has three
// channels, its dy 64.
template <class T, int dy_width, int x_width>
struct WeightGemm {
  MatrixLoader<T, dy_width> dy;  // (pixels, K)
  ColumnLoader<T, x_width> x;
  float* out;  // (slices, K, taps * C / groups)
  int64_t pixels, chunks_per_slice, slices;
  int64_t filters, columns;  // of a group
  int64_t c;                 // input channels of a group
};

// Two blocks on an SM; without the 2 ptxas aims at more of them and spills (sm_80, F32Math).
template <class Tile, class Math, int dy_width, int x_width, class T>
__global__ void __launch_bounds__(threads_of<Tile>, 2)
    conv2d_backward_weight_kernel(WeightGemm<T, dy_width, x_width> p) {
  using Shape = GemmShape<Tile, Math, false, false>;
  auto& storage = shared<GemmStorage<Shape, float>>();
  const int64_t first_filter = int64_t{blockIdx.x} * Tile::m, first_column = int64_t{blockIdx.y} * Tile::n;
  const int64_t group = blockIdx.z / p.slices, slice = blockIdx.z % p.slices;
  p.dy.matrix += group * p.filters;
  p.x.map += group * p.c;

  const int64_t first_chunk = slice * p.chunks_per_slice;
  const int64_t all_chunks = ceil_div(p.pixels, Shape::k);
  const int64_t left = all_chunks - first_chunk;
  const int chunks = static_cast<int>(left < p.chunks_per_slice ? left : p.chunks_per_slice);

  Accumulators<Shape> sums;
  gemm<Shape>(
      sums, storage.stages(), chunks,
      [&](auto& tile, int chunk) { p.dy.load(tile, (first_chunk + chunk) * Shape::k, first_filter); },
      [&](auto& tile, int chunk) {
        p.x.load(tile, (first_chunk + chunk) * Shape::k, p.pixels, first_column);
      });

  const int64_t row = (slice * gridDim.z / p.slices + group) * p.filters + first_filter;
  float* out = p.out + row * p.columns + first_column;
  const auto finish = [](int, int, float sum) { return sum + 0.f; };  // no negative zeros
  const auto row_at = [&](int i) { return i * p.columns; };
  if (p.columns % 4 == 0)
    store_tile<Shape, 4>(sums, storage, out, p.filters - first_filter, p.columns - first_column, row_at,
                         finish);
  else
    store_tile<Shape, 1>(sums, storage, out, p.filters - first_filter, p.columns - first_column, row_at,
                         finish);
}

inline int64_t pixels_of(const Conv2d::Params& p) {
  return p.n * p.out_h() * p.out_w();
}

// A weight gradient's slices in a tile.
template <class Math, class Tile>
ConvLaunch split(const Conv2d::Params& p, const DeviceLimits& limits) {
  constexpr ConvTile tile = std::is_same_v<Tile, MediumTile> ? ConvTile::mma_128x64 : ConvTile::mma_64x64;
  return sliced_launch(backward_weight_gemm(p), tile, limits, ceil_div(pixels_of(p), Math::k_chunk));
}

inline int64_t weights_of(const Conv2d::Params& p) {
  return p.k * p.r * p.s * (p.c / p.groups);
}

// The launch that fills out (slices, weights).
template <class Math, class T, int dy_width, int x_width, class Tile>
void multiply_weights(const Conv2d::Params& p, PointerTo<T> x, PointerTo<T> dy, float* out) {
  const int64_t c = p.c / p.groups, k = p.k / p.groups;
  const ConvLaunch s = split<Math, Tile>(p, device_limits());
  WeightGemm<T, dy_width, x_width> g;
  g.dy = {dy, pixels_of(p), k, p.k};
  g.x = {x, window_of(p, p.h, p.w, p.c), FastDivide(c), FastDivide(p.out_w()),
         FastDivide(p.out_h() * p.out_w())};
  g.out = out;
  g.pixels = pixels_of(p);
  g.chunks_per_slice = s.chunks;
  g.slices = s.slices;
  g.filters = k;
  g.columns = p.r * p.s * c;
  g.c = c;
  launch(
      {"conv2d_backward_weight",
       dim3(static_cast<unsigned>(ceil_div(k, Tile::m)), static_cast<unsigned>(ceil_div(g.columns, Tile::n)),
            static_cast<unsigned>(p.groups * s.slices)),
       dim3(threads_of<Tile>), sizeof(GemmStorage<GemmShape<Tile, Math, false, false>, float>)},
      conv2d_backward_weight_kernel<Tile, Math, dy_width, x_width, T>, g);
}

void sum_slices(int64_t n, int64_t slices, const float* partial, float* dw);

}  // namespace eb::kernels::cuda
