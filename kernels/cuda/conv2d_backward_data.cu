// dx <- dy, w as an implicit GEMM: dx (N H W, C) = taps of dy (N H W, R S K) times w (R S K, C); with a
// stride one for each remainder of a pixel's place (see Scatter).
#include "kernels/cuda/conv2d.cuh"
#include "kernels/cuda/conv2d_hopper.cuh"
#include "kernels/cuda/conv2d_pixels.cuh"

namespace eb::kernels::EB_BACKEND {

namespace {

// Along one axis: the pixels first, first + stride, ... of dx, the taps that reach dy from there, and the row
// of dy under the first pixel and tap.
struct Remainder {
  int64_t first, pixels, first_tap, taps, corner;
  Remainder(int64_t r, int64_t extent, int64_t kernel, int64_t stride, int64_t pad)
      : first(r),
        pixels(extent > r ? ceil_div(extent - r, stride) : 0),
        first_tap((r + pad) % stride),
        taps(kernel > first_tap ? ceil_div(kernel - first_tap, stride) : 0),
        corner((r + pad - first_tap) / stride) {}
};

template <class Math, int width>
void remainder(const Conv2d::Params& p, const Remainder& i, const Remainder& j, const void* dy, const void* w,
               void* dx) {
  using T = typename Math::T;
  const auto n = [](int64_t v) { return static_cast<int>(v); };
  const int64_t c = p.c / p.groups, k = p.k / p.groups, taps = i.taps * j.taps;
  const int64_t divisor = j.taps > 0 ? j.taps : 1;
  PixelGemm<T, width, true> g;
  g.pixels.map = static_cast<const T*>(dy);
  g.pixels.window = {n(p.out_h()), n(p.out_w()),       p.k, 1, 1, n(i.corner), n(j.corner),
                     n(taps),      FastDivide(divisor)};
  g.pixels.by_group = FastDivide(k);
  g.pixels.by_grid_w = FastDivide(j.pixels);
  g.pixels.by_grid_hw = FastDivide(i.pixels * j.pixels);
  g.pixels.rows = p.n * i.pixels * j.pixels;
  g.weights = {static_cast<const T*>(w), taps * k, c, n(p.r * p.s), FastDivide(k), FastDivide(divisor)};
  g.weights.first_tap = n(i.first_tap * p.s + j.first_tap);
  g.weights.step_r = n(p.stride_h * p.s), g.weights.step_s = n(p.stride_w);
  g.out = static_cast<T*>(dx);
  g.scatter = {n(p.h), n(p.w), n(p.stride_h), n(p.stride_w), n(i.first), n(j.first)};
  g.bias = nullptr;
  g.out_columns = c;
  g.out_stride = p.c;
  g.chunks = n(ceil_div(taps * k, Math::k_chunk));
  g.map_group = k;
  g.weight_group = k * p.r * p.s * c;
  by_tile<Math, width>(g.pixels.rows, c, p.groups, [&]<class Tile>() {
    launch_pixels<Tile, Math, width, true>("conv2d_backward_data", g, p.groups);
  });
}

}  // namespace

void conv2d_backward_data(const Conv2d::Params& p, const void* dy, const void* w, void* dx, void*) {
  if (hopper_suits(p, Conv2d::Direction::backward_data)) return conv2d_backward_data_hopper(p, dy, w, dx);
  by_math_and_width(p, [&]<class Math, int width>() {
    for (int64_t a = 0; a < p.stride_h; ++a)
      for (int64_t b = 0; b < p.stride_w; ++b) {
        const Remainder i(a, p.h, p.r, p.stride_h, p.pad_h), j(b, p.w, p.s, p.stride_w, p.pad_w);
        if (i.pixels > 0 && j.pixels > 0) remainder<Math, width>(p, i, j, dy, w, dx);
      }
  });
}

}  // namespace eb::kernels::EB_BACKEND
