// dx <- dy, w as an implicit GEMM: dx (N H W, C) = taps of dy (N H W, R S K) times w (R S K, C). With a
// stride a tap reads dy only where the stride divides; the other taps multiply zeros.
#include "kernels/cuda/conv2d.cuh"
#include "kernels/cuda/conv2d_pixels.cuh"

namespace eb::kernels::EB_BACKEND {

void conv2d_backward_data(const Conv2d::Params& p, const void* dy, const void* w, void* dx, void*) {
  const int64_t c = p.c / p.groups, k = p.k / p.groups, taps = p.r * p.s;
  by_math_and_width(p, [&]<class Math, int width>() {
    using T = typename Math::T;
    PixelGemm<T, width, true> g;
    g.pixels.map = static_cast<const T*>(dy);
    g.pixels.window = window_of(p, p.out_h(), p.out_w(), p.k);
    g.pixels.by_group = FastDivide(k);
    g.pixels.by_grid_w = FastDivide(p.w);
    g.pixels.by_grid_hw = FastDivide(p.h * p.w);
    g.pixels.rows = p.n * p.h * p.w;
    g.weights = {static_cast<const T*>(w), taps * k, c, static_cast<int>(taps), FastDivide(k)};
    g.out = static_cast<T*>(dx);
    g.bias = nullptr;
    g.out_columns = c;
    g.out_stride = p.c;
    g.chunks = static_cast<int>(ceil_div(taps * k, Math::k_chunk));
    g.map_group = k;
    g.weight_group = k * taps * c;
    by_tile<Math, width>(g.pixels.rows, c, p.groups, [&]<class Tile>() {
      launch_pixels<Tile, Math, width, true>("conv2d_backward_data", g, p.groups);
    });
  });
}

}  // namespace eb::kernels::EB_BACKEND
