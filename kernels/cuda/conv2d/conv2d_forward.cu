// y = conv(x, w) + b as an implicit GEMM (conv2d_pixel_calls.cuh), unless it is depthwise.
#include "kernels/cuda/conv2d/conv2d.cuh"
#include "kernels/cuda/conv2d/conv2d_depthwise.cuh"
#include "kernels/cuda/conv2d/conv2d_hopper.cuh"
#include "kernels/cuda/conv2d/conv2d_pixel_calls.cuh"

namespace eb::kernels::cuda {

// A slice is a row of tiles.
int64_t conv2d_moment_rows(const Conv2d::Params& p) {
  if (is_depthwise(p)) return 0;
  const DeviceLimits& limits = device_limits();
  if (hopper_suits(p, Conv2d::Direction::forward, limits)) return conv2d_moment_rows_hopper(p, limits);
  int64_t rows = 0;
  by_math_and_width(p, [&]<class Math, int width>() {
    by_tile<Math, width>(limits, p.n * p.out_h() * p.out_w(), p.k / p.groups, p.groups,
                         [&]<class Tile>() { rows = Tile::m; });
  });
  return rows;
}

void conv2d_forward(const Conv2d::Params& p, const Conv2d::Forward& a) {
  if (is_depthwise(p)) return depthwise_forward(p, a.x, a.w, a.b, a.y);
  if (hopper_suits(p, Conv2d::Direction::forward, device_limits())) return conv2d_forward_hopper(p, a);
  by_math_and_width(p, [&]<class Math, int width>() {
    using T = typename Math::T;
    forward_pixels<Math, T, T, width>(p, static_cast<const T*>(a.x), static_cast<const T*>(a.w), a.b, a.y,
                                      a.moments, nullptr);
  });
}

}  // namespace eb::kernels::cuda
