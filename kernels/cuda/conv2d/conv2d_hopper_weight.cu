// Backward-weight on sm_90a: dw (K, taps, C) = dy (pixels, K)^T times x (pixels, C)
// at each tap. Both operands are read as they lie in memory, MN-major; a slice is a run of pixels, summed by
// conv2d_backward_weight.cu.
#include "kernels/cuda/conv2d/conv2d_hopper.cuh"
#include "kernels/cuda/conv2d/conv2d_hopper_pixels.cuh"

namespace eb::kernels::cuda {

namespace {

struct HopperWeight {
  TensorMap dy, map;
  float* out;  // (slices, filters, taps, channels)
  int64_t filters, channels;
  int taps_h, taps_w, lower_h, lower_w, stride_h, stride_w;
  int chunks, chunks_per_slice;
  FastDivide by_grid_w, by_grid_hw, by_taps_w, by_taps;
};

// What a block computes: 128 filters by Tile::n channels of one tap, over one slice.
struct WeightPart {
  int filter, channel, tap, first_chunk, chunks;
};

template <class Tile>
__device__ WeightPart part_of(const HopperWeight& p) {
  uint32_t tap;
  const uint32_t channel = p.by_taps.divide(blockIdx.y, tap);
  const int first = static_cast<int>(blockIdx.z) * p.chunks_per_slice, left = p.chunks - first;
  return {static_cast<int>(blockIdx.x) * Tile::m, static_cast<int>(channel) * Tile::n, static_cast<int>(tap),
          first, left < p.chunks_per_slice ? left : p.chunks_per_slice};
}

// One thread.
template <class Tile>
__device__ void produce(const HopperWeight& p, HopperRing<Tile>& s) {
  const WeightPart part = part_of<Tile>(p);
  constexpr unsigned bytes = sizeof(bf16) * (Tile::a_elements + Tile::b_elements);
  uint32_t q;
  const uint32_t r = p.by_taps_w.divide(static_cast<uint32_t>(part.tap), q);
  RingPosition<Tile::stages> ring;
  for (int chunk = 0; chunk < part.chunks; ++chunk) {
    const int pixel = (part.first_chunk + chunk) * Tile::k;
    uint32_t rest, j;
    const uint32_t n = p.by_grid_hw.divide(static_cast<uint32_t>(pixel), rest);
    const uint32_t i = p.by_grid_w.divide(rest, j);
    PixelPosition at{part.channel, static_cast<int>(j) * p.stride_w + p.lower_w,
                     static_cast<int>(i) * p.stride_h + p.lower_h, static_cast<int>(n)};
    wait(s.empty[ring.stage], ring.parity ^ 1);
    Mbarrier& full = s.full[ring.stage];
    arrive_expecting(full, bytes);
    bf16 *a = s.a + ring.stage * Tile::a_elements, *b = s.b + ring.stage * Tile::b_elements;
#pragma unroll
    for (int m = 0; m < Tile::m; m += 64) copy_box(a + m * Tile::k, p.dy, full, part.filter + m, pixel, 0);
#pragma unroll
    for (int c = 0; c < Tile::n; c += 64, at.c += 64)
      copy_pixels(b + c * Tile::k, p.map, full, at, static_cast<int>(r), static_cast<int>(q));
    ring.advance();
  }
}

// Four lanes write 32 bytes, a sector.
template <class Tile>
__device__ void store(const HopperWeight& p, HopperSums<Tile>& sums) {
  const WeightPart part = part_of<Tile>(p);
  const int64_t taps = p.taps_h * p.taps_w;
  sums.visit([&](int row, int column, float first, float second) {
    const int64_t filter = part.filter + row, channel = part.channel + column;
    if (filter < p.filters && channel < p.channels)
      *reinterpret_cast<Vec<float, 2>*>(p.out +
                                        ((blockIdx.z * p.filters + filter) * taps + part.tap) * p.channels +
                                        channel) = {first, second};
  });
}

template <class Tile>
__global__ void __launch_bounds__(Tile::threads, Tile::blocks)
    conv2d_hopper_weight_kernel(const __grid_constant__ HopperWeight p) {
#ifdef EB_SM90A
  auto& s = shared<HopperRing<Tile>>();
  init_ring(s);
  if (threadIdx.x >= Tile::consumers) {
    if (threadIdx.x == Tile::consumers) produce<Tile>(p, s);
    return;
  }
  HopperSums<Tile> sums;
  sums.visit([](int, int, float& first, float& second) { first = second = 0.f; });
  consume<true, true>(sums, s, part_of<Tile>(p).chunks);
  store<Tile>(p, sums);
#endif
}

template <class Tile>
void launch_tile(const HopperWeight& g, int64_t slices) {
  const int64_t columns = g.taps_h * g.taps_w * ceil_div(g.channels, Tile::n);
  launch({"conv2d_backward_weight_hopper",
          dim3(static_cast<unsigned>(ceil_div(g.filters, Tile::m)), static_cast<unsigned>(columns),
               static_cast<unsigned>(slices)),
          dim3(Tile::threads), sizeof(HopperRing<Tile>)},
         conv2d_hopper_weight_kernel<Tile>, g);
}

}  // namespace

void conv2d_backward_weight_hopper(const Conv2d::Params& p, const void* x, const void* dy, float* out) {
  const int64_t pixels = p.n * p.out_h() * p.out_w();
  const auto i = [](int64_t v) { return static_cast<int>(v); };
  const ConvLaunch l = wgmma_weight_launch(p, device_limits());
  HopperPixels of_x;
  PixelTensor map = forward_geometry(of_x, p, x, sizeof(bf16));
  map.pixels = hopper_chunk;
  HopperWeight g;
  g.dy = tensor_map(BoxTensor{dy, {p.k, pixels, 1}, {64, hopper_chunk, 1}});
  g.map = tensor_map(map);
  g.out = out;
  g.filters = p.k;
  g.channels = p.c;
  g.taps_h = i(p.r), g.taps_w = i(p.s);
  g.lower_h = of_x.lower_h, g.lower_w = of_x.lower_w;
  g.stride_h = of_x.stride_h, g.stride_w = of_x.stride_w;
  g.chunks = i(ceil_div(pixels, hopper_chunk));
  g.chunks_per_slice = i(l.chunks);
  g.by_grid_w = of_x.by_grid_w;
  g.by_grid_hw = of_x.by_grid_hw;
  g.by_taps_w = FastDivide(p.s);
  g.by_taps = FastDivide(p.r * p.s);
  if (facts_of(l.tile).n == 128)
    launch_tile<HopperTile<128, 128>>(g, l.slices);
  else
    launch_tile<HopperTile<128, 64>>(g, l.slices);
}

}  // namespace eb::kernels::cuda
