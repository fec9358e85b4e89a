// Pooling, vectorised over channels. Backward gathers: each input pixel adds the windows that cover it in a
// fixed order and in float, so overlapping windows need neither atomics nor a second rounding in bf16. Max
// follows PyTorch with NaN: a NaN in the window wins, and the last of several takes the gradient.
#include "kernels/pool2d.h"

#include <limits>

#include "kernels/cpu/by_dtype.h"
#include "kernels/cpu/parallel.h"

namespace eb::kernels::cpu {
namespace {

using Params = Pool2d::Params;

struct Range {
  int64_t begin, end;
};

// Input positions of window `o`, clipped to the image.
Range window(int64_t o, int64_t stride, int64_t pad, int64_t size, int64_t n) {
  const int64_t first = o * stride - pad;
  return {std::max<int64_t>(0, first), std::min(n, first + size)};
}

// Windows that cover input position `i`.
Range windows_over(int64_t i, int64_t stride, int64_t pad, int64_t size, int64_t n_out) {
  const int64_t at = i + pad;
  return {at < size ? 0 : (at - size) / stride + 1, std::min(n_out, at / stride + 1)};
}

// f(n, p) for every output row, or f(n, h) for every input row.
template <class F>
void for_rows(int64_t n, int64_t rows, int64_t cost, F&& f) {
  parallel_ranges(n * rows, cost, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(i / rows, i % rows);
  });
}

// best and at are 32 bits wide both, so that one mask serves the two selects.
template <class T>
void take_larger(int64_t c, const T* v, int32_t tap, float* best, int32_t* at) {
#pragma omp simd
  for (int64_t j = 0; j < c; ++j) {
    const float z = v[j], m = best[j];
    const int32_t k = at[j];
    const bool wins = (z > m) | (z != z);
    best[j] = wins ? z : m;
    at[j] = wins ? tap : k;
  }
}

template <class T>
void max_row(const Params& p, int64_t n, int64_t oh, const T* x, T* y, uint8_t* index) {
  std::vector<float> best(p.c);
  std::vector<int32_t> at(p.c);
  const Range rows = window(oh, p.stride_h, p.pad_h, p.r, p.h);
  for (int64_t ow = 0; ow < p.out_w(); ++ow) {
    const Range cols = window(ow, p.stride_w, p.pad_w, p.s, p.w);
    const int64_t corner = (oh * p.stride_h - p.pad_h) * p.s + ow * p.stride_w - p.pad_w;
    std::fill(best.begin(), best.end(), -std::numeric_limits<float>::infinity());
    std::fill(at.begin(), at.end(), static_cast<int32_t>(rows.begin * p.s + cols.begin - corner));
    for (int64_t h = rows.begin; h < rows.end; ++h) {
      for (int64_t w = cols.begin; w < cols.end; ++w) {
        take_larger(p.c, x + ((n * p.h + h) * p.w + w) * p.c, static_cast<int32_t>(h * p.s + w - corner),
                    best.data(), at.data());
      }
    }
    const int64_t out = ((n * p.out_h() + oh) * p.out_w() + ow) * p.c;
    std::copy(best.begin(), best.end(), y + out);
    if (index) std::copy(at.begin(), at.end(), index + out);
  }
}

void max_forward(const Params& p, const void* x, void* y, uint8_t* index) {
  by_dtype(p.dtype, [&]<class T>() {
    for_rows(p.n, p.out_h(), p.out_w() * p.c * p.r * p.s, [&](int64_t n, int64_t oh) {
      max_row(p, n, oh, static_cast<const T*>(x), static_cast<T*>(y), index);
    });
  });
}

// dx (W, C) of input row (n, h): add(sum, output, tap) adds what one covering window sends back.
template <class T, class Add>
void backward_row(const Params& p, int64_t n, int64_t h, float scale, T* dx, Add&& add) {
  std::vector<float> sum(p.c);
  const Range rows = windows_over(h, p.stride_h, p.pad_h, p.r, p.out_h());
  for (int64_t w = 0; w < p.w; ++w) {
    const Range cols = windows_over(w, p.stride_w, p.pad_w, p.s, p.out_w());
    std::fill(sum.begin(), sum.end(), 0.f);
    for (int64_t oh = rows.begin; oh < rows.end; ++oh) {
      for (int64_t ow = cols.begin; ow < cols.end; ++ow) {
        const int64_t tap = (h + p.pad_h - oh * p.stride_h) * p.s + w + p.pad_w - ow * p.stride_w;
        add(sum.data(), ((n * p.out_h() + oh) * p.out_w() + ow) * p.c, static_cast<int32_t>(tap));
      }
    }
    T* to = dx + ((n * p.h + h) * p.w + w) * p.c;
    const float* from = sum.data();
#pragma omp simd
    for (int64_t j = 0; j < p.c; ++j) to[j] = from[j] * scale;
  }
}

template <class T>
void add_where(int64_t c, const T* dy, const uint8_t* index, int32_t tap, float* sum) {
#pragma omp simd
  for (int64_t j = 0; j < c; ++j) {
    const float g = dy[j];
    sum[j] += index[j] == tap ? g : 0.f;
  }
}

template <class T>
void add_all(int64_t c, const T* v, float* sum) {
#pragma omp simd
  for (int64_t j = 0; j < c; ++j) sum[j] += float(v[j]);
}

void max_backward(const Params& p, const uint8_t* index, const void* dy_, void* dx) {
  by_dtype(p.dtype, [&]<class T>() {
    auto* dy = static_cast<const T*>(dy_);
    for_rows(p.n, p.h, p.w * p.c * 2, [&](int64_t n, int64_t h) {
      backward_row(p, n, h, 1.f, static_cast<T*>(dx), [&](float* sum, int64_t out, int32_t tap) {
        add_where(p.c, dy + out, index + out, tap, sum);
      });
    });
  });
}

template <class T>
void avg_row(const Params& p, int64_t n, int64_t oh, const T* x, T* y) {
  std::vector<float> sum(p.c);
  const float scale = 1.f / static_cast<float>(p.r * p.s);
  const Range rows = window(oh, p.stride_h, p.pad_h, p.r, p.h);
  for (int64_t ow = 0; ow < p.out_w(); ++ow) {
    const Range cols = window(ow, p.stride_w, p.pad_w, p.s, p.w);
    std::fill(sum.begin(), sum.end(), 0.f);
    for (int64_t h = rows.begin; h < rows.end; ++h) {
      for (int64_t w = cols.begin; w < cols.end; ++w) {
        add_all(p.c, x + ((n * p.h + h) * p.w + w) * p.c, sum.data());
      }
    }
    T* to = y + ((n * p.out_h() + oh) * p.out_w() + ow) * p.c;
    const float* from = sum.data();
#pragma omp simd
    for (int64_t j = 0; j < p.c; ++j) to[j] = from[j] * scale;
  }
}

void avg_forward(const Params& p, const void* x, void* y) {
  by_dtype(p.dtype, [&]<class T>() {
    for_rows(p.n, p.out_h(), p.out_w() * p.c * p.r * p.s,
             [&](int64_t n, int64_t oh) { avg_row(p, n, oh, static_cast<const T*>(x), static_cast<T*>(y)); });
  });
}

void avg_backward(const Params& p, const void* dy_, void* dx) {
  const float scale = 1.f / static_cast<float>(p.r * p.s);
  by_dtype(p.dtype, [&]<class T>() {
    auto* dy = static_cast<const T*>(dy_);
    for_rows(p.n, p.h, p.w * p.c, [&](int64_t n, int64_t h) {
      backward_row(p, n, h, scale, static_cast<T*>(dx),
                   [&](float* sum, int64_t out, int32_t) { add_all(p.c, dy + out, sum); });
    });
  });
}

}  // namespace

const Pool2d pool2d = {.max_forward = max_forward,
                       .max_backward = max_backward,
                       .avg_forward = avg_forward,
                       .avg_backward = avg_backward};

}  // namespace eb::kernels::cpu
