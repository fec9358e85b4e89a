// Forward and backward-data. Backward-data is the same gather with the roles of x and y exchanged and the
// kernel flipped; outputs that leave the same remainder modulo the stride meet the same taps, so a thread's
// outputs are of one remainder.
#include "kernels/cuda/conv2d/conv2d_depthwise.cuh"

#include <algorithm>

#include "kernels/cuda/vector.cuh"

namespace eb::kernels::cuda {

namespace {

constexpr int depthwise_threads = 256, outputs_of_thread = 4;
constexpr int tiles_of_thread = 4;  // one after the other, under one copy of the weights

// Outputs along one axis: output o meets input first + i by tap tap0 + i * tap_step, for i in [0, count).
struct DepthwiseAxis {
  int out, in, taps, stride, pad;
  bool flipped;
  FastDivide by_stride;
  static DepthwiseAxis of(int64_t x, int64_t y, int64_t taps, int64_t stride, int64_t pad, bool flipped) {
    const auto i = [](int64_t v) { return static_cast<int>(v); };
    return {i(flipped ? x : y), i(flipped ? y : x), i(taps), i(stride), i(pad), flipped, FastDivide(stride)};
  }
  struct Taps {
    int first, count, tap0, tap_step;
  };
  __device__ Taps at(int o) const {
    if (!flipped) return {o * stride - pad, taps, 0, 1};
    uint32_t residue;
    const int last = static_cast<int>(by_stride.divide(static_cast<uint32_t>(o + pad), residue));
    const int r = static_cast<int>(residue);
    const int count =
        r < taps ? static_cast<int>(by_stride.divide(static_cast<uint32_t>(taps - r - 1))) + 1 : 0;
    return {last - count + 1, count, r + (count - 1) * stride, -stride};
  }
};

struct DepthwiseCall {
  DepthwiseAxis rows, columns;
  int64_t n, images;  // of all, of a run
  int64_t in_channels, out_channels;
  int in_group, out_group;  // one of them is 1
  int vectors;              // channels of a block over N
  uint32_t tiles;           // of a run
  int residues;             // of the columns
  FastDivide by_vectors, by_columns, by_residues, by_rows, by_group, by_channels, by_taps;
};

// sum (outputs, N) += one kernel row. S, stride: known at compile time, or 0 and 1 (any taps). Padding is
// read as zeros and multiplied, as in the GEMM.
template <int S, int stride, class T, int N>
__device__ void add_depthwise_row(const DepthwiseCall& a, const T* x, const DepthwiseAxis::Taps& taps,
                                  const float* w, int w_tap, float (&sum)[outputs_of_thread][N]) {
  constexpr int at_once = S ? S : 1, inputs = (outputs_of_thread - 1) * stride + at_once;
  const int step = S || a.columns.flipped ? 1 : a.columns.stride;
  for (int s0 = 0; s0 < taps.count; s0 += at_once) {
    Run<T, N> v[inputs] = {};
    const int first = taps.first + s0;
#pragma unroll
    for (int i = 0; i < inputs; ++i) {
      const int column = first + i * step;
      if (column >= 0 && column < a.columns.in) v[i].load(x + column * a.in_channels);
    }
#pragma unroll
    for (int s = 0; s < at_once; ++s) {
      float wk[N];
      load_floats(w + (taps.tap0 + (s0 + s) * taps.tap_step) * w_tap, wk);
#pragma unroll
      for (int t = 0; t < outputs_of_thread; ++t)
#pragma unroll
        for (int j = 0; j < N; ++j) sum[t][j] += v[t * stride + s][j] * wk[j];
    }
  }
}

// Blocks of an SM, so registers of a thread: 128, or more for 11 inputs of 16 bytes.
template <int S, int stride, class T, int N>
__global__ void __launch_bounds__(depthwise_threads, S == 5 && stride == 2 ? 1 : 2)
    depthwise_kernel(DepthwiseCall a, const T* in, const T* w, const float* b, T* out) {
  float* weights = &shared<float>();  // (plane, row, column, channel of the block)
  const int channels = a.vectors * N, taps = a.rows.taps * a.columns.taps;
  const int64_t begin = int64_t{blockIdx.z} * channels;
  for (int i = threadIdx.x; i < channels * taps * a.in_group; i += depthwise_threads) {
    uint32_t of_block, tap;
    const int plane = static_cast<int>(a.by_taps.divide(a.by_channels.divide(i, of_block), tap));
    const int64_t c = begin + of_block;
    const int64_t k = a.rows.flipped ? c * a.in_group + plane : c;
    weights[i] = c < a.out_channels ? static_cast<float>(w[k * taps + tap]) : 0.f;
  }
  sync_threads();
  uint32_t vector;
  const uint32_t lane_tile = a.by_vectors.divide(threadIdx.x, vector);
  const uint32_t tiles_of_block = depthwise_threads / a.vectors;
  const int64_t channel = begin + int64_t{vector} * N;
  if (lane_tile >= tiles_of_block || channel >= a.out_channels) return;
  const int64_t in_channel =
      a.out_group > 1 ? a.by_group.divide(static_cast<uint32_t>(channel)) : channel * a.in_group;
  for (int i = 0; i < tiles_of_thread; ++i) {
    const uint32_t tile = (blockIdx.x * tiles_of_thread + i) * tiles_of_block + lane_tile;
    if (tile >= a.tiles) return;
    uint32_t column, residue, row;
    uint32_t rest = a.by_columns.divide(tile, column);
    rest = a.by_residues.divide(rest, residue);
    const int64_t image = blockIdx.y * a.images + a.by_rows.divide(rest, row);
    const int first = static_cast<int>(column) * outputs_of_thread * a.residues + static_cast<int>(residue);
    if (image >= a.n) return;
    if (first >= a.columns.out) continue;
    float sum[outputs_of_thread][N];
#pragma unroll
    for (int t = 0; t < outputs_of_thread; ++t)
#pragma unroll
      for (int j = 0; j < N; ++j) sum[t][j] = b ? b[channel + j] : 0.f;
    const DepthwiseAxis::Taps down = a.rows.at(static_cast<int>(row)), across = a.columns.at(first);
    for (int r = 0; r < down.count; ++r) {
      const int h = down.first + r;
      if (h < 0 || h >= a.rows.in) continue;
      const T* x = in + (image * a.rows.in + h) * a.columns.in * a.in_channels + in_channel;
      const int tap_row = (down.tap0 + r * down.tap_step) * a.columns.taps;
      for (int plane = 0; plane < a.in_group; ++plane)
        add_depthwise_row<S, stride>(
            a, x + plane, across, weights + (plane * taps + tap_row) * channels + vector * N, channels, sum);
    }
    T* y = out + (image * a.rows.out + row) * a.columns.out * a.out_channels + channel;
#pragma unroll
    for (int t = 0; t < outputs_of_thread; ++t) {
      const int64_t q = first + t * a.residues;
      if (q < a.columns.out) store_floats(y + q * a.out_channels, sum[t]);
    }
  }
}

// f.operator()<S, stride>() for the taps that an output meets in a kernel row.
template <class F>
void by_depthwise_taps(int64_t taps, int64_t stride, bool flipped, F&& f) {
  if (stride == 1) {
    if (taps == 3) return f.template operator()<3, 1>();
    if (taps == 5) return f.template operator()<5, 1>();
  } else if (stride == 2 && !flipped) {
    if (taps == 3) return f.template operator()<3, 2>();
    if (taps == 5) return f.template operator()<5, 2>();
  }
  f.template operator()<0, 1>();
}

template <class T, int N>
void run_depthwise(const Conv2d::Params& p, bool flipped, const void* in, const void* w, const float* b,
                   void* out) {
  DepthwiseCall a{.rows = DepthwiseAxis::of(p.h, p.out_h(), p.r, p.stride_h, p.pad_h, flipped),
                  .columns = DepthwiseAxis::of(p.w, p.out_w(), p.s, p.stride_w, p.pad_w, flipped)};
  const int64_t multiplier = p.k / p.c;
  a.n = p.n;
  a.in_channels = flipped ? p.k : p.c, a.out_channels = flipped ? p.c : p.k;
  a.in_group = static_cast<int>(flipped ? multiplier : 1),
  a.out_group = static_cast<int>(flipped ? 1 : multiplier);
  a.residues = flipped ? a.columns.stride : 1;
  const int64_t columns = ceil_div(ceil_div(a.columns.out, a.residues), outputs_of_thread);
  const int64_t per_image = columns * a.residues * a.rows.out, most = int64_t{1} << 30;
  a.images = std::max<int64_t>(1, std::min(p.n, most / per_image));
  a.tiles = static_cast<uint32_t>(a.images * per_image);
  // At most 48 KiB of weights, and a warp's loads of one pixel in a row where there are as many channels.
  const int64_t weights = p.r * p.s * a.in_group * N * int64_t{sizeof(float)};
  a.vectors = static_cast<int>(
      std::clamp<int64_t>(std::min((int64_t{48} << 10) / weights, ceil_div(a.out_channels, N)), 1, 32));
  a.by_vectors = FastDivide(a.vectors), a.by_columns = FastDivide(columns);
  a.by_residues = FastDivide(a.residues), a.by_rows = FastDivide(a.rows.out),
  a.by_group = FastDivide(a.out_group);
  a.by_channels = FastDivide(a.vectors * N), a.by_taps = FastDivide(p.r * p.s);
  const int64_t tiles_of_block = depthwise_threads / a.vectors * tiles_of_thread;
  const dim3 grid(blocks_for(a.tiles, tiles_of_block), blocks_for(p.n, a.images),
                  blocks_for(a.out_channels, a.vectors * N));
  by_depthwise_taps(p.s, p.stride_w, flipped, [&]<int S, int stride>() {
    launch({flipped ? "depthwise_backward_data" : "depthwise_forward", grid, dim3(depthwise_threads),
            static_cast<size_t>(weights * a.vectors)},
           depthwise_kernel<S, stride, T, N>, a, static_cast<const T*>(in), static_cast<const T*>(w), b,
           static_cast<T*>(out));
  });
}

void run_any_width(const Conv2d::Params& p, bool flipped, const void* in, const void* w, const float* b,
                   void* out) {
  by_dtype(p.dtype, [&]<class T>() {
    const bool wide = p.c == p.k && p.c % widest<T> == 0;
    wide ? run_depthwise<T, widest<T>>(p, flipped, in, w, b, out)
         : run_depthwise<T, 1>(p, flipped, in, w, b, out);
  });
}

}  // namespace

// One kernel's weights must fit a block's shared memory.
bool is_depthwise(const Conv2d::Params& p) {
  constexpr int64_t most_weights = (48 << 10) / sizeof(float) / 8;
  return p.groups > 1 && p.groups == p.c && p.r * p.s * (p.k / p.c) <= most_weights;
}

void depthwise_forward(const Conv2d::Params& p, const void* x, const void* w, const float* b, void* y) {
  run_any_width(p, false, x, w, b, y);
}

void depthwise_backward_data(const Conv2d::Params& p, const void* dy, const void* w, void* dx) {
  run_any_width(p, true, dy, w, nullptr, dx);
}

}  // namespace eb::kernels::cuda
