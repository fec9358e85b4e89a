// The integer forward and backward-data on sm_90a: wgmma on codes fed by bulk copies, the loop of
// conv2d_hopper.cu with 128 channels a stage. Both operands are K-major, so backward-data reads transposed
// weights (C, taps, K), taps reversed.
#include "kernels/cuda/conv2d/conv2d_hopper_pixels.cuh"
#include "kernels/cuda/conv2d/conv2d_int8.cuh"
#include "kernels/cuda/largest.cuh"

namespace eb::kernels::cuda {

namespace {

template <class Out>
struct Int8Hopper : HopperPixels {
  BlockScales samples, filters;
  Out* out;           // (rows, columns)
  const float* bias;  // of the columns, or null
  uint32_t* largest;  // (samples), or null
};

template <class Tile, class Out>
struct Int8HopperStorage : HopperStorage<Tile, Out> {
  float row_scale[Tile::m], column_scale[Tile::n], bias[Tile::n];
};

// The tables of a tile, while the first copies are under way: no row or column, no scale. -0 is the bias that
// changes no bit.
template <class Tile, class Out>
__device__ void fill_tables(const Int8Hopper<Out>& p, Int8HopperStorage<Tile, Out>& s) {
  const HopperPart<Tile> part(p);
  for (int i = threadIdx.x; i < Tile::m; i += Tile::consumers) {
    const int64_t row = part.first_row + i;
    s.row_scale[i] = row < p.rows ? p.samples.at(p.by_grid_hw.divide(static_cast<uint32_t>(row))) : 0.f;
  }
  for (int i = threadIdx.x; i < Tile::n; i += Tile::consumers) {
    const int64_t column = part.first_column + i;
    s.column_scale[i] = column < p.columns ? p.filters.at(column) : 0.f;
    s.bias[i] = column < p.columns && p.bias ? p.bias[column] : -0.f;
  }
}

template <class Out>
__device__ void store_two(Out* to, float first, float second) {
  if constexpr (sizeof(Out) == 2)
    *reinterpret_cast<uint32_t*>(to) = pack_bf16(first, second);
  else
    *reinterpret_cast<Vec<float, 2>*>(to) = {first, second};
}

template <class Tile, class Out>
__device__ void store(const Int8Hopper<Out>& p, HopperSums<Tile>& sums, Int8HopperStorage<Tile, Out>& s) {
  named_barrier(1, Tile::consumers);  // the tables are there, and nobody reads the ring any more
  sums.visit([&](int row, int column, int32_t first, int32_t second) {
    const auto finish = [&](int32_t sum, int c) {
      return static_cast<float>(sum) * (s.row_scale[row] * s.column_scale[c]) + s.bias[c];
    };
    store_two(s.out(row, column), finish(first, column), finish(second, column + 1));
  });
  store_half(p, s, p.out);
}

template <class Tile, class Out, bool transposed>
__global__ void __launch_bounds__(Tile::threads, Tile::blocks)
    conv2d_int8_hopper_kernel(const __grid_constant__ Int8Hopper<Out> p) {
#ifdef EB_SM90A
  auto& s = shared<Int8HopperStorage<Tile, Out>>();
  init_ring(s);
  if (threadIdx.x >= Tile::consumers) {
    if (threadIdx.x == Tile::consumers) produce<false>(p, s);
    return;
  }
  fill_tables(p, s);
  HopperSums<Tile> sums;
  sums.visit([](int, int, int32_t& first, int32_t& second) { first = second = 0; });
  consume<false, false>(sums, s, HopperPart<Tile>(p).chunks);
  store(p, sums, s);
  if constexpr (!transposed)
    if (p.largest) {
      const int64_t first_row = HopperPart<Tile>(p).first_row;
      merge_largest<Tile::m, Tile::n, Tile::consumers>(s, first_row, p.rows - first_row, p.by_grid_hw,
                                                       p.largest);
    }
#endif
}

// w (columns, taps, channels). g: scales, out, bias, largest and the geometry are set.
template <bool transposed, class Out>
void run(const char* name, const Conv2d::Params& p, Int8Hopper<Out> g, PixelTensor map, const int8_t* w,
         const ConvGemm& gemm) {
  const ConvLaunch l = wgmma_launch(gemm, device_limits(), 1, false);
  by_hopper_tile<int8_t>(l.tile, [&]<class Tile>() {
    map.pixels = Tile::m;
    g.map = tensor_map(map);
    g.weights = tensor_map(BoxTensor{.data = w,
                                     .extent = {map.c, p.r * p.s, g.columns},
                                     .box = {Tile::k, 1, Tile::n},
                                     .element_bytes = 1});
    const dim3 grid = cut<Tile>(g, l);
    launch({name, grid, dim3(Tile::threads), sizeof(Int8HopperStorage<Tile, Out>)},
           conv2d_int8_hopper_kernel<Tile, Out, transposed>, g);
  });
}

}  // namespace

void conv2d_int8_forward_hopper(const Conv2d::Params& p, const Conv2dInt8::Operand& x,
                                const Conv2dInt8::Operand& w, const float* b, void* y, uint32_t* largest) {
  by_dtype(p.dtype, [&]<class Out>() {
    Int8Hopper<Out> g;
    g.samples = block_scales(x, p.h * p.w * p.c);
    g.filters = block_scales(w, p.r * p.s * p.c);
    g.out = static_cast<Out*>(y);
    g.bias = b;
    g.largest = largest;
    const PixelTensor map = forward_geometry(g, p, x.codes, 1);
    run<false>("conv2d_int8_forward_hopper", p, g, map, w.codes, forward_gemm(p));
  });
}

void conv2d_int8_backward_data_hopper(const Conv2d::Params& p, const Conv2dInt8::Operand& dy,
                                      const Conv2dInt8::Operand& w, const int8_t* transposed, void* dx) {
  for_each_remainder(p, [&](const Remainder& i, const Remainder& j) {
    by_dtype(p.dtype, [&]<class Out>() {
      Int8Hopper<Out> g;
      g.samples = block_scales(dy, p.out_h() * p.out_w() * p.k);
      g.filters = {w.exponents, FastDivide(p.c), w.bits};
      g.out = static_cast<Out*>(dx);
      g.bias = nullptr;
      g.largest = nullptr;
      const PixelTensor map = backward_data_geometry(g, p, i, j, dy.codes, 1);
      run<true>("conv2d_int8_backward_data_hopper", p, g, map, transposed, backward_data_gemm(p, i, j));
    });
  });
}

}  // namespace eb::kernels::cuda
