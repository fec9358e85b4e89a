// Backward-data of a stride, cut into convolutions of stride 1: the pixels of dx that share a remainder
// modulo the stride read the same taps, and among themselves they are a convolution of stride 1 over dy.
#pragma once
#include "kernels/conv2d.h"

namespace eb::kernels::cuda {

// Along one axis: the pixels first, first + stride, ... of dx, the taps that reach dy from there, and the row
// of dy under the first pixel and tap.
struct Remainder {
  int64_t first, pixels, first_tap, taps, corner;
  Remainder(int64_t r, int64_t extent, int64_t kernel, int64_t stride, int64_t pad)
      : first(r),
        pixels(extent > r ? (extent - r + stride - 1) / stride : 0),
        first_tap((r + pad) % stride),
        taps(kernel > first_tap ? (kernel - first_tap + stride - 1) / stride : 0),
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

}  // namespace eb::kernels::cuda
