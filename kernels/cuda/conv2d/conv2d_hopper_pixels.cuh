// What the sm_90a convolutions of bf16 and int8 share (rows are pixels of the result): the geometry, the
// thread that feeds the ring, the choice of a tile.
#pragma once
#include "kernels/cuda/conv2d/conv2d_dispatch.cuh"
#include "kernels/cuda/conv2d/conv2d_hopper.cuh"
#include "kernels/cuda/gemm/hopper_gemm.cuh"

namespace eb::kernels::cuda {

struct HopperPixels {
  TensorMap map, weights;
  int64_t rows, columns;
  FastDivide by_grid_w, by_grid_hw;
  int lower_h, lower_w;  // the window's corner at the first position of an image
  int taps_h, taps_w, channels;
  __device__ int chunks(int k) const { return taps_h * taps_w * ((channels + k - 1) / k); }
};

// MN-major: w (channels, taps, columns). K-major: w (columns, taps, channels).
template <bool b_mn_major, class Tile>
__device__ void load_weights(const HopperPixels& p, typename Tile::T* to, Mbarrier& full, int tap,
                             int channel, int column) {
  if constexpr (b_mn_major) {
#pragma unroll
    for (int n = 0; n < Tile::n; n += 64)
      copy_box(to + n * Tile::k, p.weights, full, column + n, tap, channel);
  } else {
    copy_box(to, p.weights, full, channel, tap, column);
  }
}

// One thread: fills stage after stage, chunk after chunk of the reduction.
template <bool reversed, bool b_mn_major, class Tile>
__device__ void produce(const HopperPixels& p, HopperRing<Tile>& s) {
  uint32_t rest, j;
  const uint32_t n = p.by_grid_hw.divide(blockIdx.x * Tile::m, rest);
  const uint32_t i = p.by_grid_w.divide(rest, j);
  PixelPosition at{0, static_cast<int>(j) + p.lower_w, static_cast<int>(i) + p.lower_h, static_cast<int>(n)};
  const int column = static_cast<int>(blockIdx.y) * Tile::n;
  constexpr unsigned bytes = sizeof(typename Tile::T) * (Tile::a_elements + Tile::b_elements);
  RingPosition<Tile::stages> ring;
  for (int r = 0, tap = 0; r < p.taps_h; ++r)
    for (int q = 0; q < p.taps_w; ++q, ++tap)
      for (at.c = 0; at.c < p.channels; at.c += Tile::k) {
        wait(s.empty[ring.stage], ring.parity ^ 1);
        Mbarrier& full = s.full[ring.stage];
        arrive_expecting(full, bytes);
        copy_pixels(s.a + ring.stage * Tile::a_elements, p.map, full, at, r, q);
        load_weights<b_mn_major, Tile>(p, s.b + ring.stage * Tile::b_elements, full,
                                       reversed ? p.taps_h * p.taps_w - 1 - tap : tap, at.c, column);
        ring.advance();
      }
}

// out (rows, columns) <- the group's half of the tile at s.out(), 16 bytes a store. Columns come in whole
// stores.
template <class Tile, class Out>
__device__ void store_half(const HopperPixels& p, HopperStorage<Tile, Out>& s, Out* out) {
  const int64_t first_row = int64_t{blockIdx.x} * Tile::m, first_column = int64_t{blockIdx.y} * Tile::n;
  const int group = threadIdx.x / warpgroup_size;
  named_barrier(2 + group, warpgroup_size);  // the group's own rows are there
  constexpr int width = 16 / sizeof(Out), per_row = Tile::n / width, rows = Tile::m / 2;
  for (int i = threadIdx.x % warpgroup_size; i < rows * per_row; i += warpgroup_size) {
    const int r = group * rows + i / per_row, c = i % per_row * width;
    if (first_row + r < p.rows && first_column + c < p.columns)
      *reinterpret_cast<Vec<Out, width>*>(out + (first_row + r) * p.columns + first_column + c) =
          *reinterpret_cast<const Vec<Out, width>*>(s.out(r, c));
  }
}

inline int64_t hopper_tiles(int64_t rows, int64_t columns, int64_t m, int64_t n) {
  return ceil_div(rows, m) * ceil_div(columns, n);
}
inline int64_t small_hopper_tiles(int64_t rows, int64_t columns) {
  return hopper_tiles(rows, columns, 128, columns > 64 ? 128 : 64);
}

// f.operator()<Tile>() for a (rows, columns) result of T's products.
template <class T, class F>
void by_hopper_tile(const DeviceLimits& limits, int64_t rows, int64_t columns, F&& f) {
  if (columns <= 64) return f.template operator()<HopperTile<128, 64, T>>();
  if (hopper_tiles(rows, columns, 256, 128) >= limits.processors)
    return f.template operator()<HopperTile<256, 128, T>>();
  f.template operator()<HopperTile<128, 128, T>>();
}

// The geometry of p in g; returns the map that g reads, x (N, H, W, C) or for backward-data (transposed)
// dy (N, P, Q, K). Its `pixels` are the tile's.
template <bool transposed>
PixelTensor set_geometry(HopperPixels& g, const Conv2d::Params& p, const void* data, int element_bytes) {
  PixelTensor map{.data = data, .n = p.n, .h = p.h, .w = p.w, .c = p.c};
  if (transposed) map.h = p.out_h(), map.w = p.out_w(), map.c = p.k;
  const int64_t grid_h = transposed ? p.h : p.out_h(), grid_w = transposed ? p.w : p.out_w();
  const auto corner = [](int64_t taps, int64_t pad) {
    return static_cast<int>(transposed ? pad - (taps - 1) : -pad);
  };
  map.lower[0] = g.lower_h = corner(p.r, p.pad_h);
  map.lower[1] = g.lower_w = corner(p.s, p.pad_w);
  map.upper[0] = static_cast<int>(grid_h - map.h) + g.lower_h;
  map.upper[1] = static_cast<int>(grid_w - map.w) + g.lower_w;
  map.channels = 128 / element_bytes;
  map.element_bytes = element_bytes;
  g.rows = p.n * grid_h * grid_w;
  g.columns = transposed ? p.c : p.k;
  g.by_grid_w = FastDivide(grid_w);
  g.by_grid_hw = FastDivide(grid_h * grid_w);
  g.taps_h = static_cast<int>(p.r);
  g.taps_w = static_cast<int>(p.s);
  g.channels = static_cast<int>(map.c);
  return map;
}

// The grid of a tile's launch.
template <class Tile>
dim3 hopper_grid(const HopperPixels& g) {
  return {static_cast<unsigned>(ceil_div(g.rows, Tile::m)),
          static_cast<unsigned>(ceil_div(g.columns, Tile::n))};
}

// What the copy unit can address whatever the type: one group, stride 1, corners of 8 bits.
inline bool hopper_possible(const Conv2d::Params& p) {
  return p.groups == 1 && p.stride_h == 1 && p.stride_w == 1 && p.r <= 128 && p.s <= 128 && p.pad_h < 128 &&
         p.pad_w < 128 && p.n * p.h * p.w < int64_t{1} << 31 &&
         p.n * p.out_h() * p.out_w() < int64_t{1} << 31;
}

// `whole` is what the last run of an extent is padded to with zeros.
inline bool hopper_pays(const DeviceLimits& limits, int64_t extent, int64_t whole, int64_t blocks) {
  const double useful = static_cast<double>(extent) / static_cast<double>(whole * ceil_div(extent, whole));
  return useful >= limits.wgmma_useful && blocks >= limits.processors;
}

}  // namespace eb::kernels::cuda
