// Forward and backward-data of stride-1 convolutions on sm_90a as one warp-specialised implicit GEMM: rows
// are pixels of the result, columns its channels, the reduction runs over (tap, 64 channels). One thread
// issues bulk copies into a ring of stages, two warpgroups multiply what has landed. Backward-data is forward
// over dy with the taps reversed and w read as (tap, K, C).
#include "kernels/cuda/conv2d_hopper.cuh"

#include "kernels/cuda/conv2d_dispatch.cuh"
#include "kernels/cuda/hopper_gemm.cuh"
#include "kernels/cuda/moments.cuh"

namespace eb::kernels::EB_BACKEND {

namespace {

struct HopperConv {
  TensorMap map, weights;
  bf16* out;          // (rows, columns)
  const float* bias;  // of the columns, or null
  float* moments;     // (tiles of rows, 2, columns), or null
  int64_t rows, columns;
  FastDivide by_grid_w, by_grid_hw;
  int lower_h, lower_w;  // the window's corner at the first position of an image
  int taps_h, taps_w, channels;
};

template <class Tile, bool transposed>
__device__ void load_weights(const HopperConv& p, bf16* to, Mbarrier& full, int tap, int channel,
                             int column) {
  if constexpr (transposed) {
    const int reversed = p.taps_h * p.taps_w - 1 - tap;
#pragma unroll
    for (int n = 0; n < Tile::n; n += 64)
      copy_box(to + n * Tile::k, p.weights, full, column + n, reversed, channel);
  } else {
    copy_box(to, p.weights, full, channel, tap, column);
  }
}

// One thread: fills stage after stage, chunk after chunk of the reduction.
template <class Tile, bool transposed>
__device__ void produce(const HopperConv& p, HopperStorage<Tile>& s) {
  uint32_t rest, j;
  const uint32_t n = p.by_grid_hw.divide(blockIdx.x * Tile::m, rest);
  const uint32_t i = p.by_grid_w.divide(rest, j);
  PixelPosition at{0, static_cast<int>(j) + p.lower_w, static_cast<int>(i) + p.lower_h, static_cast<int>(n)};
  const int column = static_cast<int>(blockIdx.y) * Tile::n;
  constexpr unsigned bytes = sizeof(bf16) * (Tile::a_elements + Tile::b_elements);
  RingPosition<Tile::stages> ring;
  for (int r = 0, tap = 0; r < p.taps_h; ++r)
    for (int q = 0; q < p.taps_w; ++q, ++tap)
      for (at.c = 0; at.c < p.channels; at.c += Tile::k) {
        wait(s.empty[ring.stage], ring.parity ^ 1);
        Mbarrier& full = s.full[ring.stage];
        arrive_expecting(full, bytes);
        copy_pixels(s.a + ring.stage * Tile::a_elements, p.map, full, at, r, q);
        load_weights<Tile, transposed>(p, s.b + ring.stage * Tile::b_elements, full, tap, at.c, column);
        ring.advance();
      }
}

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
__device__ void store(const HopperConv& p, HopperSums<Tile>& sums, HopperStorage<Tile>& s) {
  const int64_t first_row = int64_t{blockIdx.x} * Tile::m, first_column = int64_t{blockIdx.y} * Tile::n;
  const int group = threadIdx.x / warpgroup_size;
  named_barrier(1, Tile::consumers);  // nobody reads the ring any more
  sums.visit([&](int row, int column, float first, float second) {
    *reinterpret_cast<uint32_t*>(s.out(row, column)) = pack_bf16(first, second);
  });
  named_barrier(2 + group, warpgroup_size);  // the group's own rows are there
  constexpr int per_row = Tile::n / 8, rows = Tile::m / 2;
  for (int i = threadIdx.x % warpgroup_size; i < rows * per_row; i += warpgroup_size) {
    const int r = group * rows + i / per_row, c = i % per_row * 8;
    if (first_row + r < p.rows && first_column + c < p.columns)
      *reinterpret_cast<Vec<bf16, 8>*>(p.out + (first_row + r) * p.columns + first_column + c) =
          *reinterpret_cast<const Vec<bf16, 8>*>(s.out(r, c));
  }
}

// Of the outputs that `store` left in shared memory.
template <class Tile>
__device__ void store_moments_of(const HopperConv& p, HopperStorage<Tile>& s) {
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
  auto& s = shared<HopperStorage<Tile>>();
  init_ring(s);
  if (threadIdx.x >= Tile::consumers) {
    if (threadIdx.x == Tile::consumers) produce<Tile, transposed>(p, s);
    return;
  }
  HopperSums<Tile> sums;
  start<Tile>(p, sums);
  consume<Tile, false, transposed>(sums, s,
                                   p.taps_h * p.taps_w * static_cast<int>(ceil_div(p.channels, Tile::k)));
  store<Tile>(p, sums, s);
  if constexpr (!transposed)
    if (p.moments) store_moments_of<Tile>(p, s);
#endif
}

int64_t tiles(int64_t rows, int64_t columns, int64_t m, int64_t n) {
  return ceil_div(rows, m) * ceil_div(columns, n);
}
int64_t small_tiles(int64_t rows, int64_t columns) {
  return tiles(rows, columns, 128, columns > 64 ? 128 : 64);
}

// f.operator()<Tile>() for a (rows, columns) result.
template <class F>
void by_hopper_tile(int64_t rows, int64_t columns, F&& f) {
  if (columns <= 64) return f.template operator()<HopperTile<128, 64>>();
  if (tiles(rows, columns, 256, 128) >= least_blocks) return f.template operator()<HopperTile<256, 128>>();
  f.template operator()<HopperTile<128, 128>>();
}

// The rest of g and the launch: w (K, taps, C) of these extents.
template <class Tile, bool transposed>
void launch_tile(const char* name, HopperConv& g, PixelTensor map, BoxTensor weights) {
  map.pixels = Tile::m;
  weights.box[2] = transposed ? 64 : Tile::n;
  g.map = tensor_map(map);
  g.weights = tensor_map(weights);
  launch({name,
          dim3(static_cast<unsigned>(ceil_div(g.rows, Tile::m)),
               static_cast<unsigned>(ceil_div(g.columns, Tile::n))),
          dim3(Tile::threads), sizeof(HopperStorage<Tile>)},
         conv2d_hopper_kernel<Tile, transposed>, g);
}

// map: x or dy; the grid is y's or dx's. w (K, R S, C).
template <bool transposed>
void run(const char* name, const Conv2d::Params& p, PixelTensor map, const void* w, const float* bias,
         void* out, float* moments) {
  const int64_t grid_h = transposed ? p.h : p.out_h(), grid_w = transposed ? p.w : p.out_w();
  const auto corner = [](int64_t taps, int64_t pad) {
    return static_cast<int>(transposed ? pad - (taps - 1) : -pad);
  };
  HopperConv g;
  g.lower_h = corner(p.r, p.pad_h);
  g.lower_w = corner(p.s, p.pad_w);
  map.lower[0] = g.lower_h;
  map.lower[1] = g.lower_w;
  map.upper[0] = static_cast<int>(grid_h - map.h) + g.lower_h;
  map.upper[1] = static_cast<int>(grid_w - map.w) + g.lower_w;
  map.channels = 64;
  g.out = static_cast<bf16*>(out);
  g.bias = bias;
  g.moments = moments;
  g.rows = p.n * grid_h * grid_w;
  g.columns = transposed ? p.c : p.k;
  g.by_grid_w = FastDivide(grid_w);
  g.by_grid_hw = FastDivide(grid_h * grid_w);
  g.taps_h = static_cast<int>(p.r);
  g.taps_w = static_cast<int>(p.s);
  g.channels = static_cast<int>(map.c);
  const BoxTensor weights{w, {p.c, p.r * p.s, p.k}, {64, 1, 0}};
  by_hopper_tile(g.rows, g.columns,
                 [&]<class Tile>() { launch_tile<Tile, transposed>(name, g, map, weights); });
}

// What the copy unit can address: 16-byte strides, corners of 8 bits.
bool possible(const Conv2d::Params& p) {
  return p.dtype == DType::bf16 && p.groups == 1 && p.stride_h == 1 && p.stride_w == 1 && p.c % 8 == 0 &&
         p.k % 8 == 0 && p.r <= 128 && p.s <= 128 && p.pad_h < 128 && p.pad_w < 128 &&
         p.n * p.h * p.w < int64_t{1} << 31 && p.n * p.out_h() * p.out_w() < int64_t{1} << 31;
}

// `whole` is what the last run of an extent is padded to with zeros.
bool pays(int64_t extent, int64_t whole, int64_t blocks) {
  const double useful = static_cast<double>(extent) / static_cast<double>(whole * ceil_div(extent, whole));
  return useful >= least_useful && blocks >= least_blocks;
}

}  // namespace

bool hopper_suits(const Conv2d::Params& p, Conv2d::Direction direction) {
  if (!possible(p) || !has_wgmma()) return false;
  const int64_t pixels = p.n * p.out_h() * p.out_w();
  switch (direction) {
    case Conv2d::Direction::forward:
      return pays(p.c, 64, small_tiles(pixels, p.k));
    case Conv2d::Direction::backward_data:
      return pays(p.k, 64, small_tiles(p.n * p.h * p.w, p.c));
    case Conv2d::Direction::backward_weight:
      break;
  }
  // Pixels are split over as many blocks as it takes.
  return pays(p.k, 128, conv2d_backward_weight_hopper_tiles(p) * ceil_div(pixels, 8 * hopper_chunk));
}

int64_t conv2d_moment_rows_hopper(const Conv2d::Params& p) {
  int64_t rows = 0;
  by_hopper_tile(p.n * p.out_h() * p.out_w(), p.k, [&]<class Tile>() { rows = Tile::m; });
  return rows;
}

void conv2d_forward_hopper(const Conv2d::Params& p, const void* x, const void* w, const float* b, void* y,
                           float* moments) {
  run<false>("conv2d_forward_hopper", p, {.data = x, .n = p.n, .h = p.h, .w = p.w, .c = p.c}, w, b, y,
             moments);
}

void conv2d_backward_data_hopper(const Conv2d::Params& p, const void* dy, const void* w, void* dx) {
  run<true>("conv2d_backward_data_hopper", p,
            {.data = dy, .n = p.n, .h = p.out_h(), .w = p.out_w(), .c = p.k}, w, nullptr, dx, nullptr);
}

}  // namespace eb::kernels::EB_BACKEND
