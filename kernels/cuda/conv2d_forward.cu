// y = conv(x, w) + b as an implicit GEMM: y (N P Q, K) = columns of x (N P Q, R S C) times w (K, R S C)^T.
#include "kernels/cuda/conv2d.cuh"
#include "kernels/cuda/conv2d_hopper.cuh"
#include "kernels/cuda/conv2d_pixels.cuh"

namespace eb::kernels::EB_BACKEND {

// A slice is a row of tiles.
int64_t conv2d_moment_rows(const Conv2d::Params& p) {
  if (hopper_suits(p, Conv2d::Direction::forward)) return conv2d_moment_rows_hopper(p);
  int64_t rows = 0;
  by_math_and_width(p, [&]<class Math, int width>() {
    by_tile<Math, width>(p.n * p.out_h() * p.out_w(), p.k / p.groups, p.groups,
                         [&]<class Tile>() { rows = Tile::m; });
  });
  return rows;
}

void conv2d_forward(const Conv2d::Params& p, const void* x, const void* w, const float* b, void* y, void*,
                    float* moments) {
  if (hopper_suits(p, Conv2d::Direction::forward)) return conv2d_forward_hopper(p, x, w, b, y, moments);
  const int64_t c = p.c / p.groups, k = p.k / p.groups, reduction = p.r * p.s * c;
  by_math_and_width(p, [&]<class Math, int width>() {
    using T = typename Math::T;
    PixelGemm<T, width, false> g;
    g.pixels.map = static_cast<const T*>(x);
    g.pixels.window = window_of(p, p.h, p.w, p.c);
    g.pixels.by_group = FastDivide(c);
    g.pixels.by_grid_w = FastDivide(p.out_w());
    g.pixels.by_grid_hw = FastDivide(p.out_h() * p.out_w());
    g.pixels.rows = p.n * p.out_h() * p.out_w();
    g.weights = {static_cast<const T*>(w), k, reduction, reduction};
    g.out = static_cast<T*>(y);
    g.bias = b;
    g.moments = moments;
    g.out_columns = k;
    g.out_stride = p.k;
    g.chunks = static_cast<int>(ceil_div(reduction, Math::k_chunk));
    g.map_group = c;
    g.weight_group = k * reduction;
    by_tile<Math, width>(g.pixels.rows, k, p.groups, [&]<class Tile>() {
      launch_pixels<Tile, Math, width, false>("conv2d_forward", g, p.groups);
    });
  });
}

}  // namespace eb::kernels::EB_BACKEND
