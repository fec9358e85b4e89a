// dw, db <- x, dy (conv2d_weight_gemm.cuh).
#include "kernels/cuda/column_sum.h"
#include "kernels/cuda/conv2d/conv2d_depthwise.cuh"
#include "kernels/cuda/conv2d/conv2d_hopper.cuh"
#include "kernels/cuda/conv2d/conv2d_weight_gemm.cuh"

namespace eb::kernels::cuda {

namespace {

// dw (n) = the slices, first to last.
__global__ void sum_slices_kernel(int64_t n, int64_t slices, const float* partial, float* dw) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float sum = 0;
  for (int64_t s = 0; s < slices; ++s) sum += partial[s * n + i];
  dw[i] = sum;
}

bool on_hopper(const Conv2d::Params& p, const DeviceLimits& limits) {
  return hopper_suits(p, Conv2d::Direction::backward_weight, limits);
}
// f.operator()<Math, dy_width, x_width, Tile>(): no large tile, since fp32 outputs of 128 x 128 leave no room
// for a second block on an SM. x is the narrow operand of an image; a narrow dy narrows both.
template <class F>
void by_shape(const Conv2d::Params& p, F&& f) {
  by_math_and_width(p, [&]<class Math, int width>() {
    constexpr int widest = 16 / sizeof(typename Math::T);
    const int64_t k = p.k / p.groups;
    if constexpr (width == widest) {
      if (k > 64) return f.template operator()<Math, widest, widest, MediumTile>();
    } else if (k % widest == 0) {
      return f.template operator()<Math, widest, width, SmallTile>();
    }
    f.template operator()<Math, width, width, SmallTile>();
  });
}

void multiply(const Conv2d::Params& p, const void* x, const void* dy, float* out) {
  by_shape(p, [&]<class Math, int dy_width, int x_width, class Tile>() {
    using T = typename Math::T;
    multiply_weights<Math, T, dy_width, x_width, Tile>(p, static_cast<const T*>(x), static_cast<const T*>(dy),
                                                       out);
  });
}

int64_t slices_of(const Conv2d::Params& p, const DeviceLimits& limits) {
  if (is_depthwise(p)) return depthwise_weight_slices(p, limits);
  if (on_hopper(p, limits)) return wgmma_weight_launch(p, limits).slices;
  int64_t slices = 1;
  by_shape(p, [&]<class Math, int, int, class Tile>() { slices = split<Math, Tile>(p, limits).slices; });
  return slices;
}

}  // namespace

void sum_slices(int64_t n, int64_t slices, const float* partial, float* dw) {
  launch({"sum_slices", dim3(static_cast<unsigned>(ceil_div(n, 256))), dim3(256)}, sum_slices_kernel, n,
         slices, partial, dw);
}

size_t conv2d_backward_weight_workspace(const Conv2d::Params& p) {
  const int64_t slices = slices_of(p, device_limits());
  const size_t bytes = slices > 1 ? static_cast<size_t>(slices * weights_of(p)) * sizeof(float) : 0;
  const size_t bias = column_sum_workspace(pixels_of(p), p.k);
  return bytes > bias ? bytes : bias;
}

void conv2d_backward_weight(const Conv2d::Params& p, const Conv2d::BackwardWeight& a) {
  if (a.db) column_sum(p.dtype, pixels_of(p), p.k, a.dy, a.db, a.workspace);
  const DeviceLimits& limits = device_limits();
  const int64_t slices = slices_of(p, limits);
  float* out = slices > 1 ? static_cast<float*>(a.workspace) : a.dw;
  if (is_depthwise(p))
    depthwise_backward_weight(p, a.x, a.dy, out, slices);
  else if (on_hopper(p, limits))
    conv2d_backward_weight_hopper(p, a.x, a.dy, out);
  else
    multiply(p, a.x, a.dy, out);
  if (slices > 1) sum_slices(weights_of(p), slices, static_cast<const float*>(a.workspace), a.dw);
}

}  // namespace eb::kernels::cuda
