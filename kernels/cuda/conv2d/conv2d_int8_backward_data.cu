// dx <- dy, w on codes: dx (N H W, C) = taps of dy (N H W, R S K) times w (C, R S K)^T, int32 sums. Bytes in
// shared memory cannot be transposed on their way into the multiplier, so a small kernel transposes the
// weights first; with a stride one multiply for each remainder of a pixel's place, as in
// conv2d_backward_data.cu.
#include "kernels/cuda/conv2d/conv2d.cuh"
#include "kernels/cuda/conv2d/conv2d_int8_pixels.cuh"
#include "kernels/cuda/conv2d/conv2d_remainder.cuh"

namespace eb::kernels::cuda {

namespace {

constexpr int side = 32, transposing_rows = 8;
struct Square {
  int8_t codes[side][side + 4];  // columns in different banks
};

// to (groups, C / groups, taps, K / groups) <- from (K, taps, C / groups): of each tap and group a matrix,
// which blockIdx.x counts, since a depthwise layer may have more of them than a grid has layers.
__global__ void transpose_kernel(int64_t k, int64_t c, int taps, const int8_t* from, int8_t* to) {
  auto& s = shared<Square>();
  const int lane_id = threadIdx.x % side, first = threadIdx.x / side;
  const int64_t tap = blockIdx.x % taps, group = blockIdx.x / taps;
  const int64_t filter = int64_t{blockIdx.z} * side, channel = int64_t{blockIdx.y} * side;
  for (int i = first; i < side; i += transposing_rows)
    if (filter + i < k && channel + lane_id < c)
      s.codes[i][lane_id] = from[((group * k + filter + i) * taps + tap) * c + channel + lane_id];
  sync_threads();
  for (int i = first; i < side; i += transposing_rows)
    if (channel + i < c && filter + lane_id < k)
      to[((group * c + channel + i) * taps + tap) * k + filter + lane_id] = s.codes[lane_id][i];
}

template <class Out, int width>
void remainder(const Conv2d::Params& p, const Remainder& i, const Remainder& j, const Conv2dInt8::Operand& dy,
               const Conv2dInt8::Operand& w, const int8_t* transposed_w, void* dx) {
  const auto n = [](int64_t v) { return static_cast<int>(v); };
  const int64_t c = p.c / p.groups, k = p.k / p.groups, taps = i.taps * j.taps;
  const int64_t divisor = j.taps > 0 ? j.taps : 1;
  Int8Gemm<Out, width, true> g;
  g.pixels = remainder_loader<int8_t, width>(p, i, j, dy.codes);
  g.weights = {transposed_w,
               c,
               taps * k,
               n(p.r * p.s),
               FastDivide(k),
               FastDivide(divisor),
               n(i.first_tap * p.s + j.first_tap),
               n(p.stride_h * p.s),
               n(p.stride_w)};
  g.samples = block_scales(dy, p.out_h() * p.out_w() * p.k);
  g.filters = {w.exponents, FastDivide(p.c), w.bits};
  g.out = static_cast<Out*>(dx);
  g.scatter = {n(p.h), n(p.w), n(p.stride_h), n(p.stride_w), n(i.first), n(j.first)};
  g.out_columns = c;
  g.out_stride = p.c;
  g.chunks = n(ceil_div(taps * k, Int8Math::k_chunk));
  g.map_group = k;
  g.weight_group = k * p.r * p.s * c;
  launch_int8("conv2d_int8_backward_data", g, p.groups);
}

}  // namespace

size_t conv2d_int8_transposed_bytes(const Conv2d::Params& p) {
  return static_cast<size_t>(p.k * p.r * p.s * (p.c / p.groups));
}

void conv2d_int8_transpose(const Conv2d::Params& p, const int8_t* w, int8_t* transposed) {
  const int64_t c = p.c / p.groups, k = p.k / p.groups, taps = p.r * p.s;
  launch({"transpose_codes",
          dim3(static_cast<unsigned>(taps * p.groups), blocks_for(c, side), blocks_for(k, side)),
          dim3(side * transposing_rows), sizeof(Square)},
         transpose_kernel, k, c, static_cast<int>(taps), w, transposed);
}

void conv2d_int8_backward_data(const Conv2d::Params& p, const Conv2dInt8::Operand& dy,
                               const Conv2dInt8::Operand& w, void* dx, void* workspace) {
  auto* transposed = static_cast<int8_t*>(workspace);
  conv2d_int8_transpose(p, w.codes, transposed);
  if (int8_hopper_suits(p, Conv2d::Direction::backward_data, device_limits()))
    return conv2d_int8_backward_data_hopper(p, dy, w, transposed, dx);
  for_each_remainder(p, [&](const Remainder& i, const Remainder& j) {
    by_dtype(p.dtype, [&]<class Out>() {
      by_int8_width(p.k / p.groups,
                    [&]<int width>() { remainder<Out, width>(p, i, j, dy, w, transposed, dx); });
    });
  });
}

}  // namespace eb::kernels::cuda
