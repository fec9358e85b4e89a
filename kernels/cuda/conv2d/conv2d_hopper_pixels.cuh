// What the sm_90a convolutions of bf16 and int8 share (rows are pixels of the result): the geometry, the
// thread that feeds the ring, the tile as a type.
#pragma once
#include "kernels/cuda/conv2d/conv2d_hopper.cuh"
#include "kernels/cuda/conv2d/conv2d_raster.cuh"
#include "kernels/cuda/gemm/hopper_gemm.cuh"

namespace eb::kernels::cuda {

struct HopperPixels {
  TensorMap map, weights;
  int64_t rows, columns;
  Raster raster;
  Scatter scatter;  // which pixels of the result the rows are
  FastDivide by_grid_w, by_grid_hw;
  int lower_h, lower_w;    // the window's corner at the first position
  int stride_h, stride_w;  // from one position to the next
  int taps_h, taps_w, channels;
  int first_tap, step_h, step_w;  // which of the weights' taps goes with the window's
  int chunks, chunks_per_slice;
};

// What a block computes; a slice is a run of chunks, blockIdx.y.
template <class Tile>
struct HopperPart {
  uint32_t column_tile, row_tile;
  int64_t first_row, first_column;
  int first_chunk, chunks;
  __device__ explicit HopperPart(const HopperPixels& p)
      : row_tile(p.raster.row_tile(column_tile)),
        first_row(int64_t{row_tile} * Tile::m),
        first_column(int64_t{column_tile} * Tile::n),
        first_chunk(static_cast<int>(blockIdx.y) * p.chunks_per_slice) {
    const int left = p.chunks - first_chunk;
    chunks = left < p.chunks_per_slice ? left : p.chunks_per_slice;
  }
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

// One thread: fills stage after stage, chunk after chunk of the part's reduction.
template <bool b_mn_major, class Tile>
__device__ void produce(const HopperPixels& p, HopperRing<Tile>& s) {
  const HopperPart<Tile> part(p);
  uint32_t rest, j;
  const uint32_t n = p.by_grid_hw.divide(static_cast<uint32_t>(part.first_row), rest);
  const uint32_t i = p.by_grid_w.divide(rest, j);
  const int per_tap = (p.channels + Tile::k - 1) / Tile::k, tap = part.first_chunk / per_tap;
  int r = tap / p.taps_w, q = tap % p.taps_w;
  PixelPosition at{part.first_chunk % per_tap * Tile::k, static_cast<int>(j) * p.stride_w + p.lower_w,
                   static_cast<int>(i) * p.stride_h + p.lower_h, static_cast<int>(n)};
  constexpr unsigned bytes = sizeof(typename Tile::T) * (Tile::a_elements + Tile::b_elements);
  RingPosition<Tile::stages> ring;
  for (int chunk = 0; chunk < part.chunks; ++chunk) {
    wait(s.empty[ring.stage], ring.parity ^ 1);
    Mbarrier& full = s.full[ring.stage];
    arrive_expecting(full, bytes);
    copy_pixels(s.a + ring.stage * Tile::a_elements, p.map, full, at, r, q);
    load_weights<b_mn_major, Tile>(p, s.b + ring.stage * Tile::b_elements, full,
                                   p.first_tap + r * p.step_h + q * p.step_w, at.c,
                                   static_cast<int>(part.first_column));
    ring.advance();
    if ((at.c += Tile::k) < p.channels) continue;
    at.c = 0;
    if (++q == p.taps_w) q = 0, ++r;
  }
}

// out (pixels, columns) <- the group's half of the tile at s.out(), 16 bytes a store. Columns come in whole
// stores.
template <class Tile, class Out>
__device__ void store_half(const HopperPixels& p, HopperStorage<Tile, Out>& s, Out* out) {
  const HopperPart<Tile> part(p);
  const int group = threadIdx.x / warpgroup_size;
  named_barrier(2 + group, warpgroup_size);  // the group's own rows are there
  constexpr int width = 16 / sizeof(Out), per_row = Tile::n / width, rows = Tile::m / 2;
  for (int i = threadIdx.x % warpgroup_size; i < rows * per_row; i += warpgroup_size) {
    const int r = group * rows + i / per_row, c = i % per_row * width;
    if (part.first_row + r < p.rows && part.first_column + c < p.columns)
      *reinterpret_cast<Vec<Out, width>*>(out + p.scatter.pixel(p, part.first_row + r) * p.columns +
                                          part.first_column + c) =
          *reinterpret_cast<const Vec<Out, width>*>(s.out(r, c));
  }
}

// f.operator()<HopperTile>() for a choice of the policy.
template <class T, class F>
void by_hopper_tile(ConvTile tile, F&& f) {
  switch (tile) {
    case ConvTile::wgmma_256x128:
      return f.template operator()<HopperTile<256, 128, T>>();
    case ConvTile::wgmma_256x64:
      return f.template operator()<HopperTile<256, 64, T>>();
    case ConvTile::wgmma_128x64:
      return f.template operator()<HopperTile<128, 64, T>>();
    default:
      return f.template operator()<HopperTile<128, 128, T>>();
  }
}

// How many channels a stage holds, and what the copy unit is told of them.
inline PixelTensor pixel_tensor(const void* data, int64_t n, int64_t h, int64_t w, int64_t c,
                                int element_bytes) {
  PixelTensor map{.data = data, .n = n, .h = h, .w = w, .c = c};
  map.channels = 128 / element_bytes;
  map.element_bytes = element_bytes;
  return map;
}

// g and the map that it reads, but for what depends on the tile. Forward: x (N, H, W, C).
inline PixelTensor forward_geometry(HopperPixels& g, const Conv2d::Params& p, const void* x,
                                    int element_bytes) {
  const auto n = [](int64_t v) { return static_cast<int>(v); };
  PixelTensor map = pixel_tensor(x, p.n, p.h, p.w, p.c, element_bytes);
  map.lower[0] = g.lower_h = n(-p.pad_h), map.lower[1] = g.lower_w = n(-p.pad_w);
  map.upper[0] = n(p.pad_h - (p.r - 1)), map.upper[1] = n(p.pad_w - (p.s - 1));
  map.stride[0] = g.stride_h = n(p.stride_h), map.stride[1] = g.stride_w = n(p.stride_w);
  g.rows = p.n * p.out_h() * p.out_w();
  g.columns = p.k;
  g.scatter = {};
  g.by_grid_w = FastDivide(p.out_w());
  g.by_grid_hw = FastDivide(p.out_h() * p.out_w());
  g.taps_h = n(p.r), g.taps_w = n(p.s), g.channels = n(p.c);
  g.first_tap = 0, g.step_h = n(p.s), g.step_w = 1;
  return map;
}

// Backward-data of one remainder: dy (N, P, Q, K), the taps that reach it from the last to the first. Without
// a tap the map is never read, but has to be one.
inline PixelTensor backward_data_geometry(HopperPixels& g, const Conv2d::Params& p, const Remainder& i,
                                          const Remainder& j, const void* dy, int element_bytes) {
  const auto n = [](int64_t v) { return static_cast<int>(v); };
  PixelTensor map = pixel_tensor(dy, p.n, p.out_h(), p.out_w(), p.k, element_bytes);
  const bool any = i.taps * j.taps > 0;
  g.lower_h = any ? n(i.corner - (i.taps - 1)) : 0, g.lower_w = any ? n(j.corner - (j.taps - 1)) : 0;
  map.lower[0] = g.lower_h, map.lower[1] = g.lower_w;
  map.upper[0] = any ? n(i.pixels - map.h) + g.lower_h : 0;
  map.upper[1] = any ? n(j.pixels - map.w) + g.lower_w : 0;
  g.stride_h = g.stride_w = 1;
  g.rows = p.n * i.pixels * j.pixels;
  g.columns = p.c;
  g.scatter = {n(p.h), n(p.w), n(p.stride_h), n(p.stride_w), n(i.first), n(j.first)};
  g.by_grid_w = FastDivide(j.pixels);
  g.by_grid_hw = FastDivide(i.pixels * j.pixels);
  g.taps_h = any ? n(i.taps) : 0, g.taps_w = any ? n(j.taps) : 1, g.channels = n(p.k);
  g.first_tap = n((i.first_tap + (i.taps - 1) * p.stride_h) * p.s + j.first_tap + (j.taps - 1) * p.stride_w);
  g.step_h = n(-p.stride_h * p.s), g.step_w = n(-p.stride_w);
  return map;
}

// The grid of a launch, and what of g the tile decides.
template <class Tile>
dim3 cut(HopperPixels& g, const ConvLaunch& l) {
  const int64_t columns = ceil_div(g.columns, Tile::n);
  g.raster = Raster(columns);
  g.chunks = static_cast<int>(g.taps_h * g.taps_w * ceil_div(g.channels, Tile::k));
  g.chunks_per_slice = static_cast<int>(l.chunks);
  return {static_cast<unsigned>(ceil_div(g.rows, Tile::m) * columns), static_cast<unsigned>(l.slices)};
}

}  // namespace eb::kernels::cuda
