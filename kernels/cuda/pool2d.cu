// Pooling over NHWC: a thread owns some neighbouring channels of one output pixel. Backward is a gather too:
// a pixel of dx sums the windows that cover it in row-major order, so no atomics are needed.
#include "kernels/pool2d.h"

#include "kernels/cuda/vector.cuh"

namespace eb::kernels::EB_BACKEND {

namespace {

constexpr int threads = 256;

using Params = Pool2d::Params;

struct Place {
  int64_t n, h, w, c;
};

// Element i * N of an (n, h, w, c) tensor.
template <int N>
__device__ Place place_of(int64_t i, int64_t h, int64_t w, int64_t c) {
  const int64_t vectors = c / N, pixel = i / vectors;
  return {pixel / (h * w), pixel / w % h, pixel % w, i % vectors * N};
}

template <class T, int N>
__global__ void max_forward_kernel(Params p, const T* x, T* y, uint8_t* index) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= p.n * p.out_h() * p.out_w() * (p.c / N)) return;
  const Place at = place_of<N>(i, p.out_h(), p.out_w(), p.c);
  float best[N];
  uint8_t where[N];
  for (int j = 0; j < N; ++j) best[j] = -INFINITY, where[j] = 255;
  for (int64_t r = 0; r < p.r; ++r)
    for (int64_t s = 0; s < p.s; ++s) {
      const int64_t h = at.h * p.stride_h - p.pad_h + r, w = at.w * p.stride_w - p.pad_w + s;
      if (h < 0 || h >= p.h || w < 0 || w >= p.w) continue;
      float v[N];
      load_floats(x + ((at.n * p.h + h) * p.w + w) * p.c + at.c, v);
      for (int j = 0; j < N; ++j)
        if (v[j] > best[j] || v[j] != v[j] || where[j] == 255) {  // as PyTorch: the last NaN wins
          best[j] = v[j];
          where[j] = static_cast<uint8_t>(r * p.s + s);
        }
    }
  store_floats(y + i * N, best);
  if (index) {
    Vec<uint8_t, N> out;
    for (int j = 0; j < N; ++j) out[j] = where[j];
    *reinterpret_cast<Vec<uint8_t, N>*>(index + i * N) = out;
  }
}

// The first window along one axis that reaches `at`, and one behind the last.
__device__ int64_t first_window(int64_t at, int64_t pad, int64_t size, int64_t stride) {
  const int64_t from = at + pad - size + 1;
  return from <= 0 ? 0 : (from + stride - 1) / stride;
}
__device__ int64_t end_window(int64_t at, int64_t pad, int64_t stride, int64_t windows) {
  const int64_t end = (at + pad) / stride + 1;
  return end < windows ? end : windows;
}

template <class T, int N, bool is_max>
__global__ void backward_kernel(Params p, const uint8_t* index, const T* dy, T* dx) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= p.n * p.h * p.w * (p.c / N)) return;
  const Place at = place_of<N>(i, p.h, p.w, p.c);
  const float share = 1.f / static_cast<float>(p.r * p.s);
  float sum[N] = {};
  const int64_t end_h = end_window(at.h, p.pad_h, p.stride_h, p.out_h());
  const int64_t end_w = end_window(at.w, p.pad_w, p.stride_w, p.out_w());
  for (int64_t oh = first_window(at.h, p.pad_h, p.r, p.stride_h); oh < end_h; ++oh)
    for (int64_t ow = first_window(at.w, p.pad_w, p.s, p.stride_w); ow < end_w; ++ow) {
      const int64_t out = ((at.n * p.out_h() + oh) * p.out_w() + ow) * p.c + at.c;
      float g[N];
      load_floats(dy + out, g);
      if constexpr (is_max) {
        const int64_t r = at.h + p.pad_h - oh * p.stride_h, s = at.w + p.pad_w - ow * p.stride_w;
        const Vec<uint8_t, N> winner = *reinterpret_cast<const Vec<uint8_t, N>*>(index + out);
        for (int j = 0; j < N; ++j) sum[j] += winner[j] == r * p.s + s ? g[j] : 0.f;
      } else {
        for (int j = 0; j < N; ++j) sum[j] += g[j];
      }
    }
  if constexpr (!is_max)
    for (int j = 0; j < N; ++j) sum[j] *= share;
  store_floats(dx + i * N, sum);
}

template <class T, int N>
__global__ void avg_forward_kernel(Params p, const T* x, T* y) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= p.n * p.out_h() * p.out_w() * (p.c / N)) return;
  const Place at = place_of<N>(i, p.out_h(), p.out_w(), p.c);
  float sum[N] = {};
  for (int64_t r = 0; r < p.r; ++r)
    for (int64_t s = 0; s < p.s; ++s) {
      const int64_t h = at.h * p.stride_h - p.pad_h + r, w = at.w * p.stride_w - p.pad_w + s;
      if (h < 0 || h >= p.h || w < 0 || w >= p.w) continue;
      float v[N];
      load_floats(x + ((at.n * p.h + h) * p.w + w) * p.c + at.c, v);
      for (int j = 0; j < N; ++j) sum[j] += v[j];
    }
  const float share = 1.f / static_cast<float>(p.r * p.s);
  for (int j = 0; j < N; ++j) sum[j] *= share;
  store_floats(y + i * N, sum);
}

// f.operator()<T, N>() with the widest N that divides the channels.
template <class F>
void by_width(const Params& p, F&& f) {
  by_dtype(p.dtype, [&]<class T>() {
    p.c % widest<T> == 0 ? f.template operator()<T, widest<T>>() : f.template operator()<T, 1>();
  });
}

void max_forward(const Params& p, const void* x, void* y, uint8_t* index) {
  by_width(p, [&]<class T, int N>() {
    launch({"max_pool_forward", blocks_for(p.n * p.out_h() * p.out_w() * (p.c / N), threads), threads},
           max_forward_kernel<T, N>, p, static_cast<const T*>(x), static_cast<T*>(y), index);
  });
}
void avg_forward(const Params& p, const void* x, void* y) {
  by_width(p, [&]<class T, int N>() {
    launch({"avg_pool_forward", blocks_for(p.n * p.out_h() * p.out_w() * (p.c / N), threads), threads},
           avg_forward_kernel<T, N>, p, static_cast<const T*>(x), static_cast<T*>(y));
  });
}
template <bool is_max>
void backward(const char* name, const Params& p, const uint8_t* index, const void* dy, void* dx) {
  by_width(p, [&]<class T, int N>() {
    launch({name, blocks_for(p.n * p.h * p.w * (p.c / N), threads), threads}, backward_kernel<T, N, is_max>,
           p, index, static_cast<const T*>(dy), static_cast<T*>(dx));
  });
}
void max_backward(const Params& p, const uint8_t* index, const void* dy, void* dx) {
  backward<true>("max_pool_backward", p, index, dy, dx);
}
void avg_backward(const Params& p, const void* dy, void* dx) {
  backward<false>("avg_pool_backward", p, nullptr, dy, dx);
}

}  // namespace

extern const Pool2d pool2d;
const Pool2d pool2d{max_forward, max_backward, avg_forward, avg_backward};

}  // namespace eb::kernels::EB_BACKEND
