// dw: a block sums one slice of the rows of the batch for some channels. Threads of one channel take every
// so many rows; their sums meet in shared memory in a fixed order.
#include <algorithm>

#include "kernels/cuda/conv2d/conv2d_depthwise.cuh"
#include "kernels/cuda/vector.cuh"

namespace eb::kernels::cuda {

namespace {

constexpr int weight_threads = 256, positions_at_once = 4;
constexpr int64_t blocks_per_processor = 4, least_rows = 4, most_weight_slices = 256;

struct DepthwiseWeightCall {
  int h, w, out_h, out_w, r, s, stride_h, stride_w, pad_h, pad_w;
  int64_t c, k;
  int64_t rows, rows_of_slice;  // output rows of the batch
  int vectors;                  // channels of a block over N
  FastDivide by_vectors, by_group;
};

// sum (taps, N) += one output row under R x S taps from (r0, s0) on.
template <int R, int S, int stride, class T, int N>
__device__ void add_weight_row(const DepthwiseWeightCall& a, int64_t row, int r0, int s0, const T* x,
                               const T* dy, float (&sum)[R * S][N]) {
  constexpr int inputs = (positions_at_once - 1) * (stride ? stride : 1) + S;
  static_assert(stride || S == 1);
  const int64_t image = row / a.out_h;
  const int top = static_cast<int>(row - image * a.out_h) * a.stride_h - a.pad_h + r0;
  dy += row * a.out_w * a.k;
  for (int q = 0; q < a.out_w; q += positions_at_once) {
    Run<T, N> d[positions_at_once];
#pragma unroll
    for (int i = 0; i < positions_at_once; ++i) d[i].load(dy + (q + i < a.out_w ? q + i : a.out_w - 1) * a.k);
#pragma unroll
    for (int r = 0; r < R; ++r) {
      if (top + r < 0 || top + r >= a.h) continue;
      const T* line = x + (image * a.h + top + r) * a.w * a.c;
      Run<T, N> v[inputs] = {};  // padding is zeros
      const int first = q * a.stride_w - a.pad_w + s0;
#pragma unroll
      for (int i = 0; i < inputs; ++i) {
        const int column = first + (stride ? i : i * a.stride_w);
        if (column >= 0 && column < a.w) v[i].load(line + column * a.c);
      }
#pragma unroll
      for (int t = 0; t < positions_at_once; ++t)
        if (q + t < a.out_w)  // all threads alike
#pragma unroll
          for (int s = 0; s < S; ++s)
#pragma unroll
            for (int j = 0; j < N; ++j) sum[r * S + s][j] += v[t * (stride ? stride : 1) + s][j] * d[t][j];
    }
  }
}

// R x S taps at once: all, or one after the other (1 x 1). Blocks of an SM, so registers of a thread: 128, or
// more where the sums alone are 100 or a row's inputs 36.
template <int R, int S, int stride, class T, int N>
__global__ void __launch_bounds__(weight_threads, S == 5 || (N > 1 && stride == 2) ? 1 : 2)
    depthwise_weight_kernel(DepthwiseWeightCall a, const T* x, const T* dy, float* out) {
  float* sums = &shared<float>();  // (row of threads, vector, N)
  uint32_t vector;
  const int lane_row = static_cast<int>(a.by_vectors.divide(threadIdx.x, vector));
  const int rows_at_once = weight_threads / a.vectors, channels = a.vectors * N;
  const int64_t channel = int64_t{blockIdx.x} * channels + int64_t{vector} * N;
  const bool active = lane_row < rows_at_once && channel < a.k;
  const int64_t begin = int64_t{blockIdx.y} * a.rows_of_slice;
  const int64_t end = begin + a.rows_of_slice < a.rows ? begin + a.rows_of_slice : a.rows;
  out += int64_t{blockIdx.y} * a.k * a.r * a.s;
  x += N > 1 ? channel : int64_t{a.by_group.divide(static_cast<uint32_t>(channel))};
  for (int tap0 = 0; tap0 < a.r * a.s; tap0 += R * S) {
    float sum[R * S][N] = {};
    if (active)
      for (int64_t row = begin + lane_row; row < end; row += rows_at_once)
        add_weight_row<R, S, stride>(a, row, tap0 / a.s, tap0 % a.s, x, dy + channel, sum);
#pragma unroll
    for (int tap = 0; tap < R * S; ++tap) {
      if (lane_row < rows_at_once)
#pragma unroll
        for (int j = 0; j < N; ++j) sums[lane_row * channels + vector * N + j] = sum[tap][j];
      sync_threads();
      for (int c = threadIdx.x; c < channels; c += weight_threads) {
        float total = 0;
#pragma unroll 4
        for (int i = 0; i < rows_at_once; ++i) total += sums[i * channels + c];
        const int64_t k = int64_t{blockIdx.x} * channels + c;
        if (k < a.k) out[k * a.r * a.s + tap0 + tap] = total;
      }
      sync_threads();
    }
  }
}

// 8 bytes of bf16 at once leave registers for the sums of all taps.
template <class F>
void by_weight_width(const Conv2d::Params& p, F&& f) {
  by_dtype(p.dtype, [&]<class T>() {
    p.c == p.k&& p.c % 4 == 0 ? f.template operator()<T, 4>() : f.template operator()<T, 1>();
  });
}

int64_t vectors_of(int64_t channels, int64_t width) {
  return std::clamp<int64_t>(ceil_div(channels, width), 1, 32);
}

}  // namespace

int64_t depthwise_weight_slices(const Conv2d::Params& p, const DeviceLimits& limits) {
  const int64_t width = p.c == p.k && p.c % 4 == 0 ? 4 : 1, vectors = vectors_of(p.k, width);
  const int64_t blocks = ceil_div(p.k, vectors * width), rows = p.n * p.out_h();
  const int64_t wanted = ceil_div(blocks_per_processor * limits.processors, blocks);
  const int64_t useful = rows / (weight_threads / vectors * least_rows);
  return std::clamp<int64_t>(std::min(wanted, useful), 1, most_weight_slices);
}

void depthwise_backward_weight(const Conv2d::Params& p, const void* x, const void* dy, float* out,
                               int64_t slices) {
  const auto i = [](int64_t v) { return static_cast<int>(v); };
  by_weight_width(p, [&]<class T, int N>() {
    DepthwiseWeightCall a{
        .h = i(p.h), .w = i(p.w), .out_h = i(p.out_h()), .out_w = i(p.out_w()), .r = i(p.r), .s = i(p.s)};
    a.stride_h = i(p.stride_h), a.stride_w = i(p.stride_w), a.pad_h = i(p.pad_h), a.pad_w = i(p.pad_w);
    a.c = p.c, a.k = p.k;
    a.rows = p.n * p.out_h(), a.rows_of_slice = ceil_div(a.rows, slices);
    a.vectors = i(vectors_of(p.k, N));
    a.by_vectors = FastDivide(a.vectors), a.by_group = FastDivide(p.k / p.c);
    const dim3 grid(blocks_for(p.k, a.vectors * N), static_cast<unsigned>(slices));
    const size_t shared_bytes = weight_threads / a.vectors * a.vectors * N * sizeof(float);
    const auto run = [&]<int R, int S, int stride>() {
      launch({"depthwise_backward_weight", grid, dim3(weight_threads), shared_bytes},
             depthwise_weight_kernel<R, S, stride, T, N>, a, static_cast<const T*>(x),
             static_cast<const T*>(dy), out);
    };
    if (p.r == 3 && p.s == 3 && p.stride_w == 1) return run.template operator()<3, 3, 1>();
    if (p.r == 3 && p.s == 3 && p.stride_w == 2) return run.template operator()<3, 3, 2>();
    if (p.r == 5 && p.s == 5 && p.stride_w == 1) return run.template operator()<5, 5, 1>();
    if (p.r == 5 && p.s == 5 && p.stride_w == 2) return run.template operator()<5, 5, 2>();
    run.template operator()<1, 1, 0>();
  });
}

}  // namespace eb::kernels::cuda
