// Forward and backward-data on sm_90a as one warp-specialised implicit GEMM: rows are pixels of the result,
// columns its channels, the reduction runs over (tap, 64 channels). One thread issues bulk copies into a ring
// of stages, two warpgroups multiply what has landed. Backward-data is forward over dy with the taps reversed
// and w read as (tap, K, C), with a stride once for each remainder. Where a map has too few tiles for the
// card, blocks take slices of the reduction, which a second kernel adds in order.
#include "kernels/cuda/conv2d/conv2d_hopper.cuh"

#include "kernels/cuda/conv2d/conv2d_hopper_pixels.cuh"
#include "kernels/cuda/moments.cuh"

namespace eb::kernels::cuda {

namespace {

using Direction = Conv2d::Direction;

struct HopperConv : HopperPixels {
  bf16* out;          // (pixels, columns)
  const float* bias;  // of the columns, or null
  float* moments;     // (tiles of rows, 2, columns), or null
  float* partial;     // (slices, rows, columns) instead of out, or null
};

// Sums start from the bias: it is read while the first copies are under way.
template <class Tile>
__device__ void start(const HopperConv& p, HopperSums<Tile>& sums) {
  const HopperPart<Tile> part(p);
  sums.visit([&](int, int column, float& first, float& second) {
    const bool biased = p.bias && part.first_column + column < p.columns;
    first = biased ? p.bias[part.first_column + column] : 0.f;
    second = biased ? p.bias[part.first_column + column + 1] : 0.f;
  });
}

// sums as bf16 through shared memory, so that a store is 16 bytes wide. Columns come in eights.
template <class Tile>
__device__ void store(const HopperConv& p, HopperSums<Tile>& sums, HopperStorage<Tile, bf16>& s) {
  named_barrier(1, Tile::consumers);  // nobody reads the ring any more
  sums.visit([&](int row, int column, float first, float second) {
    *reinterpret_cast<uint32_t*>(s.out(row, column)) = pack_bf16(first, second);
  });
  store_half(p, s, p.out);
}

// Four lanes write 32 bytes, a sector.
template <class Tile>
__device__ void store_partial(const HopperConv& p, HopperSums<Tile>& sums) {
  const HopperPart<Tile> part(p);
  float* out = p.partial + blockIdx.y * p.rows * p.columns;
  sums.visit([&](int row, int column, float first, float second) {
    if (part.first_row + row < p.rows && part.first_column + column < p.columns)
      *reinterpret_cast<Vec<float, 2>*>(out + (part.first_row + row) * p.columns + part.first_column +
                                        column) = {first, second};
  });
}

// Of the outputs that `store` left in shared memory.
template <class Tile>
__device__ void store_moments_of(const HopperConv& p, HopperStorage<Tile, bf16>& s) {
  const HopperPart<Tile> part(p);
  named_barrier(1, Tile::consumers);  // both groups' rows are there
  if (threadIdx.x < 2 * Tile::n)
    store_moments<Tile::m, Tile::n>(s, p.rows - part.first_row, p.columns - part.first_column, p.columns,
                                    p.moments + int64_t{part.row_tile} * 2 * p.columns + part.first_column);
}

template <class Tile, bool transposed>
__global__ void __launch_bounds__(Tile::threads, Tile::blocks)
    conv2d_hopper_kernel(const __grid_constant__ HopperConv p) {
#ifdef EB_SM90A
  auto& s = shared<HopperStorage<Tile, bf16>>();
  init_ring(s);
  if (threadIdx.x >= Tile::consumers) {
    if (threadIdx.x == Tile::consumers) produce<transposed>(p, s);
    return;
  }
  HopperSums<Tile> sums;
  start<Tile>(p, sums);
  consume<false, transposed>(sums, s, HopperPart<Tile>(p).chunks);
  if (p.partial) return store_partial<Tile>(p, sums);
  store<Tile>(p, sums, s);
  if constexpr (!transposed)
    if (p.moments) store_moments_of<Tile>(p, s);
#endif
}

// out (eights) <- the bias of its columns (eights of a row), or null, and the slices, first to last.
__global__ void sum_map_slices_kernel(int64_t eights, int64_t slices, FastDivide by_row, const float* bias,
                                      const float* partial, bf16* out) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= eights) return;
  uint32_t column;
  by_row.divide(static_cast<uint32_t>(i), column);
  float sum[8] = {};
  for (int k = 0; bias && k < 8; ++k) sum[k] = bias[column * 8 + k];
  for (int64_t s = 0; s < slices; ++s) {
    const auto* from = reinterpret_cast<const Vec<float, 4>*>(partial + (s * eights + i) * 8);
    const Vec<float, 4> low = from[0], high = from[1];
    for (int k = 0; k < 4; ++k) sum[k] += low[k], sum[4 + k] += high[k];
  }
  store_floats(out + i * 8, sum);
}

// The rest of g and the launch: w (K, taps, C) of these extents.
template <bool transposed>
void run(const char* name, const Conv2d::Params& p, HopperConv g, PixelTensor map, const void* w,
         const ConvLaunch& l, void* workspace) {
  const float* bias = g.bias;
  if (l.slices > 1)
    g.bias = nullptr;  // added with the slices: a condition more in `start` serialises the wgmmas
  g.partial = l.slices > 1 ? static_cast<float*>(workspace) : nullptr;
  BoxTensor weights{w, {p.c, p.r * p.s, p.k}, {64, 1, 64}};
  by_hopper_tile<bf16>(l.tile, [&]<class Tile>() {
    map.pixels = Tile::m;
    if (!transposed) weights.box[2] = Tile::n;
    g.map = tensor_map(map);
    g.weights = tensor_map(weights);
    const dim3 grid = cut<Tile>(g, l);
    launch({name, grid, dim3(Tile::threads), sizeof(HopperStorage<Tile, bf16>)},
           conv2d_hopper_kernel<Tile, transposed>, g);
  });
  if (l.slices == 1) return;
  const int64_t eights = g.rows * g.columns / 8;
  launch({"sum_map_slices", blocks_for(eights, 256), 256}, sum_map_slices_kernel, eights, l.slices,
         FastDivide(g.columns / 8), bias, g.partial, g.out);
}

ConvLaunch launch_of(const ConvGemm& g, const Conv2d::Params& p, const DeviceLimits& limits) {
  return wgmma_launch(g, limits, sizeof(bf16), may_slice(p));
}

}  // namespace

size_t conv2d_hopper_workspace(const Conv2d::Params& p, Direction d) {
  if (!may_slice(p)) return 0;
  const ConvGemm g = d == Direction::forward
                         ? forward_gemm(p)
                         : backward_data_gemm(p, {0, p.h, p.r, 1, p.pad_h}, {0, p.w, p.s, 1, p.pad_w});
  const int64_t slices = launch_of(g, p, device_limits()).slices;
  return slices > 1 ? static_cast<size_t>(slices * g.results()) * sizeof(float) : 0;
}

int64_t conv2d_moment_rows_hopper(const Conv2d::Params& p, const DeviceLimits& limits) {
  const ConvLaunch l = launch_of(forward_gemm(p), p, limits);
  return l.slices > 1 ? 0 : facts_of(l.tile).m;
}

void conv2d_forward_hopper(const Conv2d::Params& p, const Conv2d::Forward& a) {
  HopperConv g;
  const PixelTensor map = forward_geometry(g, p, a.x, sizeof(bf16));
  g.out = static_cast<bf16*>(a.y);
  g.bias = a.b;
  g.moments = a.moments;
  run<false>("conv2d_forward_hopper", p, g, map, a.w, launch_of(forward_gemm(p), p, device_limits()),
             a.workspace);
}

void conv2d_backward_data_hopper(const Conv2d::Params& p, const Conv2d::BackwardData& a) {
  for_each_remainder(p, [&](const Remainder& i, const Remainder& j) {
    HopperConv g;
    const PixelTensor map = backward_data_geometry(g, p, i, j, a.dy, sizeof(bf16));
    g.out = static_cast<bf16*>(a.dx);
    g.bias = nullptr;
    g.moments = nullptr;
    run<true>("conv2d_backward_data_hopper", p, g, map, a.w,
              launch_of(backward_data_gemm(p, i, j), p, device_limits()), a.workspace);
  });
}

}  // namespace eb::kernels::cuda
