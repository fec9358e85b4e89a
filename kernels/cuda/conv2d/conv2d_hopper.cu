// Forward and backward-data of stride-1 convolutions on sm_90a as one warp-specialised implicit GEMM: rows
// are pixels of the result, columns its channels, the reduction runs over (tap, 64 channels). One thread
// issues bulk copies into a ring of stages, two warpgroups multiply what has landed. Backward-data is forward
// over dy with the taps reversed and w read as (tap, K, C).
#include "kernels/cuda/conv2d/conv2d_hopper.cuh"

#include "kernels/cuda/conv2d/conv2d_hopper_pixels.cuh"
#include "kernels/cuda/moments.cuh"

namespace eb::kernels::cuda {

namespace {

struct HopperConv : HopperPixels {
  bf16* out;          // (rows, columns)
  const float* bias;  // of the columns, or null
  float* moments;     // (tiles of rows, 2, columns), or null
};

// Sums start from the bias: it is read while the first copies are under way.
template <class Tile>
__device__ void start(const HopperConv& p, HopperSums<Tile>& sums) {
  const int64_t first_column = int64_t{blockIdx.y} * Tile::n;
  sums.visit([&](int, int column, float& first, float& second) {
    const bool biased = p.bias && first_column + column < p.columns;
    first = biased ? p.bias[first_column + column] : 0.f;
    second = biased ? p.bias[first_column + column + 1] : 0.f;
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

// Of the outputs that `store` left in shared memory.
template <class Tile>
__device__ void store_moments_of(const HopperConv& p, HopperStorage<Tile, bf16>& s) {
  const int64_t first_row = int64_t{blockIdx.x} * Tile::m, first_column = int64_t{blockIdx.y} * Tile::n;
  named_barrier(1, Tile::consumers);  // both groups' rows are there
  if (threadIdx.x < 2 * Tile::n)
    store_moments<Tile::m, Tile::n>(s, p.rows - first_row, p.columns - first_column, p.columns,
                                    p.moments + int64_t{blockIdx.x} * 2 * p.columns + first_column);
}

template <class Tile, bool transposed>
__global__ void __launch_bounds__(Tile::threads, Tile::blocks)
    conv2d_hopper_kernel(const __grid_constant__ HopperConv p) {
#ifdef EB_SM90A
  auto& s = shared<HopperStorage<Tile, bf16>>();
  init_ring(s);
  if (threadIdx.x >= Tile::consumers) {
    if (threadIdx.x == Tile::consumers) produce<transposed, transposed>(p, s);
    return;
  }
  HopperSums<Tile> sums;
  start<Tile>(p, sums);
  consume<false, transposed>(sums, s, p.chunks(Tile::k));
  store<Tile>(p, sums, s);
  if constexpr (!transposed)
    if (p.moments) store_moments_of<Tile>(p, s);
#endif
}

// The rest of g and the launch: w (K, taps, C) of these extents.
template <class Tile, bool transposed>
void launch_tile(const char* name, HopperConv& g, PixelTensor map, BoxTensor weights) {
  map.pixels = Tile::m;
  weights.box[2] = transposed ? 64 : Tile::n;
  g.map = tensor_map(map);
  g.weights = tensor_map(weights);
  launch({name, hopper_grid<Tile>(g), dim3(Tile::threads), sizeof(HopperStorage<Tile, bf16>)},
         conv2d_hopper_kernel<Tile, transposed>, g);
}

// in: x or dy. w (K, R S, C).
template <bool transposed>
void run(const char* name, const Conv2d::Params& p, const void* in, const void* w, const float* bias,
         void* out, float* moments) {
  HopperConv g;
  const PixelTensor map = set_geometry<transposed>(g, p, in, sizeof(bf16));
  g.out = static_cast<bf16*>(out);
  g.bias = bias;
  g.moments = moments;
  const BoxTensor weights{w, {p.c, p.r * p.s, p.k}, {64, 1, 0}};
  by_hopper_tile<bf16>(device_limits(), g.rows, g.columns,
                       [&]<class Tile>() { launch_tile<Tile, transposed>(name, g, map, weights); });
}

}  // namespace

bool hopper_suits(const Conv2d::Params& p, Conv2d::Direction direction, const DeviceLimits& limits) {
  if (p.dtype != DType::bf16 || p.c % 8 != 0 || p.k % 8 != 0 || !hopper_possible(p) || !limits.wgmma)
    return false;
  const int64_t pixels = p.n * p.out_h() * p.out_w();
  switch (direction) {
    case Conv2d::Direction::forward:
      return hopper_pays(limits, p.c, 64, small_hopper_tiles(pixels, p.k));
    case Conv2d::Direction::backward_data:
      return hopper_pays(limits, p.k, 64, small_hopper_tiles(p.n * p.h * p.w, p.c));
    case Conv2d::Direction::backward_weight:
      break;
  }
  // Pixels are split over as many blocks as it takes.
  return hopper_pays(limits, p.k, 128,
                     conv2d_backward_weight_hopper_tiles(p) * ceil_div(pixels, 8 * hopper_chunk));
}

int64_t conv2d_moment_rows_hopper(const Conv2d::Params& p, const DeviceLimits& limits) {
  int64_t rows = 0;
  by_hopper_tile<bf16>(limits, p.n * p.out_h() * p.out_w(), p.k, [&]<class Tile>() { rows = Tile::m; });
  return rows;
}

void conv2d_forward_hopper(const Conv2d::Params& p, const void* x, const void* w, const float* b, void* y,
                           float* moments) {
  run<false>("conv2d_forward_hopper", p, x, w, b, y, moments);
}

void conv2d_backward_data_hopper(const Conv2d::Params& p, const void* dy, const void* w, void* dx) {
  run<true>("conv2d_backward_data_hopper", p, dy, w, nullptr, dx, nullptr);
}

}  // namespace eb::kernels::cuda
