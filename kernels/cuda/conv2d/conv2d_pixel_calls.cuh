// Forward and backward-data as calls of the kernel in conv2d_pixels.cuh. Forward: y (N P Q, K) = columns of x
// (N P Q, R S C) times w (K, R S C)^T. Backward-data: dx (N H W, C) = taps of dy (N H W, R S K) times
// w (R S K, C); with a stride one for each remainder of a pixel's place (see Scatter). Operands of T: what
// Math multiplies, or Coded.
#pragma once
#include "kernels/cuda/conv2d/conv2d.cuh"
#include "kernels/cuda/conv2d/conv2d_pixels.cuh"
#include "kernels/cuda/conv2d/conv2d_remainder.cuh"

namespace eb::kernels::cuda {

template <class Math, class T, class Out, int width>
void forward_pixels(const Conv2d::Params& p, PointerTo<T> x, PointerTo<T> w, const float* b, void* y,
                    float* moments, uint32_t* largest) {
  const int64_t c = p.c / p.groups, k = p.k / p.groups, reduction = p.r * p.s * c;
  PixelGemm<T, Out, width, false> g;
  g.pixels.map = x;
  g.pixels.window = window_of(p, p.h, p.w, p.c);
  g.pixels.by_group = FastDivide(c);
  g.pixels.by_grid_w = FastDivide(p.out_w());
  g.pixels.by_grid_hw = FastDivide(p.out_h() * p.out_w());
  g.pixels.rows = p.n * p.out_h() * p.out_w();
  g.weights = {w, k, reduction, reduction};
  g.out = static_cast<Out*>(y);
  g.bias = b;
  g.moments = moments;
  g.largest = largest;
  g.out_columns = k;
  g.out_stride = p.k;
  g.chunks = static_cast<int>(ceil_div(reduction, Math::k_chunk));
  g.map_group = c;
  g.weight_group = k * reduction;
  by_tile<Math, width>(device_limits(), g.pixels.rows, k, p.groups, [&]<class Tile>() {
    launch_pixels<Tile, Math, width, false>("conv2d_forward", g, p.groups);
  });
}

template <class Math, class T, class Out, int width>
void remainder_pixels(const Conv2d::Params& p, const Remainder& i, const Remainder& j, PointerTo<T> dy,
                      PointerTo<T> w, void* dx) {
  const auto n = [](int64_t v) { return static_cast<int>(v); };
  const int64_t c = p.c / p.groups, k = p.k / p.groups, taps = i.taps * j.taps;
  const int64_t divisor = j.taps > 0 ? j.taps : 1;
  PixelGemm<T, Out, width, true> g;
  g.pixels = remainder_loader<T, width>(p, i, j, dy);
  g.weights = {w, taps * k, c, n(p.r * p.s), FastDivide(k), FastDivide(divisor)};
  g.weights.first_tap = n(i.first_tap * p.s + j.first_tap);
  g.weights.step_r = n(p.stride_h * p.s), g.weights.step_s = n(p.stride_w);
  g.out = static_cast<Out*>(dx);
  g.scatter = {n(p.h), n(p.w), n(p.stride_h), n(p.stride_w), n(i.first), n(j.first)};
  g.bias = nullptr;
  g.out_columns = c;
  g.out_stride = p.c;
  g.chunks = n(ceil_div(taps * k, Math::k_chunk));
  g.map_group = k;
  g.weight_group = k * p.r * p.s * c;
  by_tile<Math, width>(device_limits(), g.pixels.rows, c, p.groups, [&]<class Tile>() {
    launch_pixels<Tile, Math, width, true>("conv2d_backward_data", g, p.groups);
  });
}

template <class Math, class T, class Out, int width>
void backward_data_pixels(const Conv2d::Params& p, PointerTo<T> dy, PointerTo<T> w, void* dx) {
  for_each_remainder(p, [&](const Remainder& i, const Remainder& j) {
    remainder_pixels<Math, T, Out, width>(p, i, j, dy, w, dx);
  });
}

}  // namespace eb::kernels::cuda
