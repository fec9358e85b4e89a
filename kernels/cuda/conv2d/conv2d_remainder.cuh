// What the mma kernels read of one remainder of backward-data (policy/remainder.h).
#pragma once
#include "kernels/cuda/conv2d/conv2d_loaders.cuh"
#include "kernels/cuda/policy/remainder.h"

namespace eb::kernels::cuda {

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
