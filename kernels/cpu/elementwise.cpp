// Elementwise ops. NaN passes through relu in both directions, as in PyTorch.
#include "kernels/elementwise.h"

#include <cstring>

#include "kernels/cpu/by_dtype.h"
#include "kernels/cpu/parallel.h"

namespace eb::kernels::cpu {
namespace {

template <class F>
void map(int64_t n, F f) {
  parallel_ranges(n, 1, [f](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) f(i);
  });
}

void relu_forward(const Elementwise::Params& p, const void* x_, void* y_) {
  by_dtype(p.dtype, [&]<class T>() {
    auto* x = static_cast<const T*>(x_);
    auto* y = static_cast<T*>(y_);
    map(p.n, [=](int64_t i) {
      const float v = x[i];
      y[i] = v < 0.f ? 0.f : v;
    });
  });
}

void relu_backward(const Elementwise::Params& p, const void* y_, const void* dy_, void* dx_) {
  by_dtype(p.dtype, [&]<class T>() {
    auto *y = static_cast<const T*>(y_), *dy = static_cast<const T*>(dy_);
    auto* dx = static_cast<T*>(dx_);
    map(p.n, [=](int64_t i) {
      const float g = dy[i];
      dx[i] = float(y[i]) <= 0.f ? 0.f : g;
    });
  });
}

void add(const Elementwise::Params& p, const void* a_, const void* b_, void* y_) {
  by_dtype(p.dtype, [&]<class T>() {
    auto *a = static_cast<const T*>(a_), *b = static_cast<const T*>(b_);
    auto* y = static_cast<T*>(y_);
    map(p.n, [=](int64_t i) { y[i] = float(a[i]) + float(b[i]); });
  });
}

void fill(const Elementwise::Params& p, float value, void* y_) {
  by_dtype(p.dtype, [&]<class T>() {
    auto* y = static_cast<T*>(y_);
    map(p.n, [=](int64_t i) { y[i] = value; });
  });
}

void scale(const Elementwise::Params& p, float factor, void* y_) {
  by_dtype(p.dtype, [&]<class T>() {
    auto* y = static_cast<T*>(y_);
    map(p.n, [=](int64_t i) { y[i] = factor * float(y[i]); });
  });
}

void cast(int64_t n, DType from, const void* x_, DType to, void* y_) {
  if (from == to) {
    parallel_ranges(n, 1, [&, bytes = static_cast<int64_t>(size_of(from))](int64_t begin, int64_t end) {
      std::memmove(static_cast<char*>(y_) + begin * bytes, static_cast<const char*>(x_) + begin * bytes,
                   (end - begin) * bytes);
    });
    return;
  }
  by_dtype(from, [&]<class From>() {
    by_dtype(to, [&]<class To>() {
      auto* x = static_cast<const From*>(x_);
      auto* y = static_cast<To*>(y_);
      map(n, [=](int64_t i) { y[i] = float(x[i]); });
    });
  });
}

void select_forward(DType dtype, int64_t rows, int64_t c, int64_t k, const void* x_, const int32_t* select,
                    void* y_) {
  by_dtype(dtype, [&]<class T>() {
    parallel_ranges(rows, c, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        auto* x = static_cast<const T*>(x_) + row * c;
        auto* y = static_cast<T*>(y_) + row * k;
        for (int64_t j = 0; j < k; ++j) y[j] = x[select[j]];
      }
    });
  });
}

void select_backward(DType dtype, int64_t rows, int64_t c, int64_t k, const void* dy_, const int32_t* select,
                     void* dx_) {
  by_dtype(dtype, [&]<class T>() {
    parallel_ranges(rows, c, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        auto* dy = static_cast<const T*>(dy_) + row * k;
        auto* dx = static_cast<T*>(dx_) + row * c;
        std::fill(dx, dx + c, T(0.f));
        for (int64_t j = 0; j < k; ++j) dx[select[j]] = dy[j];
      }
    });
  });
}

}  // namespace

const Elementwise elementwise = {.relu_forward = relu_forward,
                                 .relu_backward = relu_backward,
                                 .add = add,
                                 .fill = fill,
                                 .scale = scale,
                                 .cast = cast,
                                 .select_forward = select_forward,
                                 .select_backward = select_backward};

}  // namespace eb::kernels::cpu
