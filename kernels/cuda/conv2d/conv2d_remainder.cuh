// Backward-data of a stride, cut into convolutions of stride 1 (see Scatter in conv2d_pixels.cuh).
#pragma once
#include "kernels/conv2d.h"
#include "kernels/cuda/conv2d/conv2d_loaders.cuh"

namespace eb::kernels::cuda {

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

// f(i, j) for every remainder that pixels have.
template <class F>
void for_each_remainder(const Conv2d::Params& p, F&& f) {
  for (int64_t a = 0; a < p.stride_h; ++a)
    for (int64_t b = 0; b < p.stride_w; ++b) {
      const Remainder i(a, p.h, p.r, p.stride_h, p.pad_h), j(b, p.w, p.s, p.stride_w, p.pad_w);
      if (i.pixels > 0 && j.pixels > 0) f(i, j);
    }
}

// The pixels of one remainder over dy (N, P, Q, K).
template <class T, int width>
PixelLoader<T, width, true> remainder_loader(const Conv2d::Params& p, const Remainder& i, const Remainder& j,
                                             PointerTo<T> dy) {
  const auto n = [](int64_t v) { return static_cast<int>(v); };
  PixelLoader<T, width, true> loader;
  loader.map = dy;
  loader.window = {n(p.out_h()),
                   n(p.out_w()),
                   p.k,
                   1,
                   1,
                   n(i.corner),
                   n(j.corner),
                   n(i.taps * j.taps),
                   FastDivide(j.taps > 0 ? j.taps : 1)};
  loader.by_group = FastDivide(p.k / p.groups);
  loader.by_grid_w = FastDivide(j.pixels);
  loader.by_grid_hw = FastDivide(i.pixels * j.pixels);
  loader.rows = p.n * i.pixels * j.pixels;
  return loader;
}

}  // namespace eb::kernels::cuda
