// Pooling over NHWC: a thread owns some neighbouring channels of one pixel of what it writes. Backward is a
// gather too: a pixel of dx sums the windows that cover it in row-major order, so no atomics are needed.
// Loads come in blocks, clamped into the tensor, so that no branch stands between them.
#include "kernels/pool2d.h"

#include <algorithm>

#include "kernels/cuda/vector.cuh"

namespace eb::kernels::cuda {

namespace {

constexpr int threads = 256;

using Params = Pool2d::Params;

// How the pixels of an (n, h, w, c) tensor are cut among threads: blockIdx.y counts runs of images, so that
// 32-bit numbers do within one; an image must have fewer than 2^31 vectors.
struct Cut {
  int64_t n, images, h, w, c;
  uint32_t count;  // threads of a run of images
  FastDivide vectors, columns, rows;
  template <int N>
  static Cut of(int64_t n, int64_t h, int64_t w, int64_t c) {
    const int64_t per_image = h * w * (c / N), most = (int64_t{1} << 31) - 1;
    const int64_t images = std::max<int64_t>(1, std::min(n, most / per_image));
    return {n,
            images,
            h,
            w,
            c,
            static_cast<uint32_t>(images * per_image),
            FastDivide(c / N),
            FastDivide(w),
            FastDivide(h)};
  }
  dim3 grid() const { return dim3(blocks_for(count, threads), blocks_for(n, images)); }
};

struct Place {
  int64_t n;
  int h, w;
  int64_t channel, element;
  bool active;
  template <int N>
  __device__ static Place of(const Cut& cut) {
    const uint32_t i = blockIdx.x * threads + threadIdx.x;
    uint32_t vector, column, row;
    const uint32_t pixel = cut.vectors.divide(i, vector), line = cut.columns.divide(pixel, column);
    Place at;
    at.n = blockIdx.y * cut.images + cut.rows.divide(line, row);
    at.h = static_cast<int>(row), at.w = static_cast<int>(column), at.channel = int64_t{vector} * N;
    at.element = ((at.n * cut.h + row) * cut.w + column) * cut.c + at.channel;
    at.active = i < cut.count && at.n < cut.n;
    return at;
  }
};

__device__ int clamped(int at, int64_t size) {
  return at < 0 ? 0 : at < size ? at : static_cast<int>(size) - 1;
}

// f(tap, values) for the taps of a window inside x, in row-major order: all of a window x window one are
// loaded before the first is used, of any other (window 0) four of a row.
template <int window, class T, int N, class F>
__device__ void for_window(const Params& p, const Place& at, const T* x, F&& f) {
  constexpr int R = window ? window : 1, S = window ? window : 4;
  const int rows = window ? window : static_cast<int>(p.r), columns = window ? window : static_cast<int>(p.s);
  const int top = at.h * static_cast<int>(p.stride_h) - static_cast<int>(p.pad_h),
            left = at.w * static_cast<int>(p.stride_w) - static_cast<int>(p.pad_w);
  for (int r0 = 0; r0 < rows; r0 += R)
    for (int s0 = 0; s0 < columns; s0 += S) {
      Run<T, N> v[R][S];
#pragma unroll
      for (int r = 0; r < R; ++r)
#pragma unroll
        for (int s = 0; s < S; ++s)
          v[r][s].load(x +
                       ((at.n * p.h + clamped(top + r0 + r, p.h)) * p.w + clamped(left + s0 + s, p.w)) * p.c +
                       at.channel);
#pragma unroll
      for (int r = 0; r < R; ++r)
#pragma unroll
        for (int s = 0; s < S; ++s) {
          const int h = top + r0 + r, w = left + s0 + s;
          if (h >= 0 && h < p.h && w >= 0 && w < p.w && s0 + s < columns)
            f((r0 + r) * columns + s0 + s, v[r][s]);
        }
    }
}

template <class T, int N, int window>
__global__ void max_forward_kernel(Params p, Cut cut, const T* x, T* y, uint8_t* index) {
  const auto at = Place::of<N>(cut);
  if (!at.active) return;
  float best[N];
  uint32_t where[N];
#pragma unroll
  for (int j = 0; j < N; ++j) best[j] = -INFINITY, where[j] = 255;
  for_window<window, T, N>(p, at, x, [&](int tap, const Run<T, N>& v) {
#pragma unroll
    for (int j = 0; j < N; ++j)
      if (v[j] > best[j] || v[j] != v[j] || where[j] == 255) {  // as PyTorch: the last NaN wins
        best[j] = v[j];
        where[j] = static_cast<uint32_t>(tap);
      }
  });
  store_floats(y + at.element, best);
  if (index) store_bytes(index + at.element, where);
}

template <class T, int N, int window>
__global__ void avg_forward_kernel(Params p, Cut cut, const T* x, T* y) {
  const auto at = Place::of<N>(cut);
  if (!at.active) return;
  float sum[N] = {};
  for_window<window, T, N>(p, at, x, [&](int, const Run<T, N>& v) {
#pragma unroll
    for (int j = 0; j < N; ++j) sum[j] += v[j];
  });
  const float share = 1.f / static_cast<float>(p.r * p.s);
#pragma unroll
  for (int j = 0; j < N; ++j) sum[j] *= share;
  store_floats(y + at.element, sum);
}

// Division by the strides.
struct Strides {
  FastDivide h, w;
};

// The windows along one axis that reach `at`: first ... end - 1.
struct Windows {
  int first, end;
  __device__ Windows(int at, int64_t pad, int64_t size, const FastDivide& stride, int64_t windows) {
    const int padded = at + static_cast<int>(pad), from = padded - static_cast<int>(size) + 1;
    first = from <= 0 ? 0 : static_cast<int>(stride.divide(static_cast<uint32_t>(from) + stride.divisor - 1));
    end = static_cast<int>(stride.divide(static_cast<uint32_t>(padded))) + 1;
    if (end > windows) end = static_cast<int>(windows);
  }
};

// W x W windows of dy (and of index) are loaded before the first is used.
template <class T, int N, bool is_max, int W>
__global__ void backward_kernel(Params p, Cut cut, Strides strides, const uint8_t* index, const T* dy,
                                T* dx) {
  const auto at = Place::of<N>(cut);
  if (!at.active) return;
  const int64_t out_h = p.out_h(), out_w = p.out_w();
  const Windows down(at.h, p.pad_h, p.r, strides.h, out_h), across(at.w, p.pad_w, p.s, strides.w, out_w);
  float sum[N] = {};
  for (int h0 = down.first; h0 < down.end; h0 += W)
    for (int w0 = across.first; w0 < across.end; w0 += W) {
      Run<T, N> g[W * W];
      [[maybe_unused]] Run<uint8_t, N> winner[W * W];
#pragma unroll
      for (int i = 0; i < W * W; ++i) {
        const int64_t from =
            ((at.n * out_h + clamped(h0 + i / W, out_h)) * out_w + clamped(w0 + i % W, out_w)) * p.c +
            at.channel;
        g[i].load(dy + from);
        if constexpr (is_max) winner[i].load(index + from);
      }
#pragma unroll
      for (int i = 0; i < W * W; ++i) {
        const int oh = h0 + i / W, ow = w0 + i % W;
        if (oh >= down.end || ow >= across.end) continue;
        [[maybe_unused]] const int64_t tap =
            (at.h + p.pad_h - oh * p.stride_h) * p.s + at.w + p.pad_w - ow * p.stride_w;
#pragma unroll
        for (int j = 0; j < N; ++j)
          if constexpr (is_max)
            sum[j] += winner[i][j] == static_cast<uint32_t>(tap) ? g[i][j] : 0.f;
          else
            sum[j] += g[i][j];
      }
    }
  if constexpr (!is_max) {
    const float share = 1.f / static_cast<float>(p.r * p.s);
#pragma unroll
    for (int j = 0; j < N; ++j) sum[j] *= share;
  }
  store_floats(dx + at.element, sum);
}

// f.operator()<T, N>() with the widest N that divides the channels.
template <class F>
void by_width(const Params& p, F&& f) {
  by_dtype(p.dtype, [&]<class T>() {
    p.c % widest<T> == 0 ? f.template operator()<T, widest<T>>() : f.template operator()<T, 1>();
  });
}

// f.operator()<window>() for the square windows of the networks, or 0.
template <class F>
void by_window(const Params& p, F&& f) {
  const int64_t window = p.r == p.s ? p.r : 0;
  window == 2   ? f.template operator()<2>()
  : window == 3 ? f.template operator()<3>()
                : f.template operator()<0>();
}

template <int N>
Cut cut_y(const Params& p) {
  return Cut::of<N>(p.n, p.out_h(), p.out_w(), p.c);
}

void max_forward(const Params& p, const void* x, void* y, uint8_t* index) {
  by_width(p, [&]<class T, int N>() {
    const Cut cut = cut_y<N>(p);
    by_window(p, [&]<int window>() {
      launch({"max_pool_forward", cut.grid(), threads}, max_forward_kernel<T, N, window>, p, cut,
             static_cast<const T*>(x), static_cast<T*>(y), index);
    });
  });
}
void avg_forward(const Params& p, const void* x, void* y) {
  by_width(p, [&]<class T, int N>() {
    const Cut cut = cut_y<N>(p);
    by_window(p, [&]<int window>() {
      launch({"avg_pool_forward", cut.grid(), threads}, avg_forward_kernel<T, N, window>, p, cut,
             static_cast<const T*>(x), static_cast<T*>(y));
    });
  });
}
template <bool is_max>
void backward(const char* name, const Params& p, const uint8_t* index, const void* dy, void* dx) {
  by_width(p, [&]<class T, int N>() {
    const Cut cut = Cut::of<N>(p.n, p.h, p.w, p.c);
    const auto run = [&]<int W>() {
      launch({name, cut.grid(), threads}, backward_kernel<T, N, is_max, W>, p, cut,
             Strides{FastDivide(p.stride_h), FastDivide(p.stride_w)}, index, static_cast<const T*>(dy),
             static_cast<T*>(dx));
    };
    const bool overlap = p.r > p.stride_h || p.s > p.stride_w;
    overlap ? run.template operator()<2>() : run.template operator()<1>();
  });
}
void max_backward(const Params& p, const uint8_t* index, const void* dy, void* dx) {
  backward<true>("max_pool_backward", p, index, dy, dx);
}
void avg_backward(const Params& p, const void* dy, void* dx) {
  backward<false>("avg_pool_backward", p, nullptr, dy, dx);
}

}  // namespace

const Pool2d pool2d{.max_forward = max_forward,
                    .max_backward = max_backward,
                    .avg_forward = avg_forward,
                    .avg_backward = avg_backward};

}  // namespace eb::kernels::cuda
