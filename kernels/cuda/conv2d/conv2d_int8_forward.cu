// y = conv(x, w) + b on codes: y (N P Q, K) = columns of x (N P Q, R S C) times w (K, R S C)^T, int32 sums.
#include "kernels/cuda/conv2d/conv2d.cuh"
#include "kernels/cuda/conv2d/conv2d_int8_pixels.cuh"

namespace eb::kernels::cuda {

namespace {

__global__ void clear_kernel(int64_t n, uint32_t* x) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) x[i] = 0;
}

}  // namespace

void clear_largest(int64_t samples, uint32_t* largest) {
  launch({"clear_largest", blocks_for(samples, 256), 256}, clear_kernel, samples, largest);
}

void conv2d_int8_forward(const Conv2d::Params& p, const Conv2dInt8::Operand& x, const Conv2dInt8::Operand& w,
                         const float* b, void* y, uint32_t* largest) {
  const int64_t c = p.c / p.groups, k = p.k / p.groups, reduction = p.r * p.s * c;
  if (largest) clear_largest(p.n, largest);
  if (int8_hopper_suits(p, Conv2d::Direction::forward, device_limits()))
    return conv2d_int8_forward_hopper(p, x, w, b, y, largest);
  const auto run = [&]<class Out, int width>() {
    Int8Gemm<Out, width, false> g;
    g.pixels.map = x.codes;
    g.pixels.window = window_of(p, p.h, p.w, p.c);
    g.pixels.by_group = FastDivide(c);
    g.pixels.by_grid_w = FastDivide(p.out_w());
    g.pixels.by_grid_hw = FastDivide(p.out_h() * p.out_w());
    g.pixels.rows = p.n * p.out_h() * p.out_w();
    g.weights = {w.codes, k, reduction, reduction};
    g.samples = block_scales(x, p.h * p.w * p.c);
    g.filters = block_scales(w, reduction);
    g.out = static_cast<Out*>(y);
    g.bias = b;
    g.largest = largest;
    g.out_columns = k;
    g.out_stride = p.k;
    g.chunks = static_cast<int>(ceil_div(reduction, Int8Math::k_chunk));
    g.map_group = c;
    g.weight_group = k * reduction;
    launch_int8("conv2d_int8_forward", g, p.groups);
  };
  by_dtype(p.dtype, [&]<class Out>() {
    by_int8_width(c, [&]<int width>() { run.template operator()<Out, width>(); });
  });
}

}  // namespace eb::kernels::cuda
