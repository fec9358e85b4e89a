// How batch norm walks (rows, c): R rows at a time as one flat run of R * c channels-with-repetition, so that
// every channel count, 3 or 49 or 511, fills whole vectors and gives enough independent sums. Per-channel
// parameters are repeated R times to match. A select list is applied by copying R rows through a buffer in
// L1.
#pragma once
#include "kernels/cpu/parallel.h"

namespace eb::kernels::cpu {

class BatchNormRows {
 public:
  BatchNormRows(int64_t rows, int64_t c_in, int64_t c, const int32_t* select)
      : rows_(rows), c_in_(c_in), c_(c), select_(select), repeat_(repeat_for(c)) {
    const int64_t group = 4 * repeat_;
    chunk_rows_ = ceil_div(std::clamp<int64_t>(chunk_elements / c, 128, 1024), group) * group;
  }

  int64_t chunks() const { return ceil_div(rows_, chunk_rows_); }
  int64_t chunk_begin(int64_t chunk) const { return chunk * chunk_rows_; }
  int64_t chunk_end(int64_t chunk) const { return std::min(rows_, (chunk + 1) * chunk_rows_); }
  int64_t rows() const { return rows_; }
  int64_t c() const { return c_; }
  int64_t c_in() const { return c_in_; }
  int64_t repeat() const { return repeat_; }
  int64_t width() const { return repeat_ * c_; }  // elements of one run
  bool selects() const { return select_ != nullptr; }
  int64_t channel(int64_t j) const { return select_ ? select_[j] : j; }

  // R copies of f(0..c-1).
  template <class F>
  std::vector<float> tile(F&& f) const {
    std::vector<float> v(width());
    for (int64_t j = 0; j < c_; ++j) v[j] = f(j);
    for (int64_t i = c_; i < width(); ++i) v[i] = v[i - c_];
    return v;
  }

  // The `count` rows of x (rows, c_in) from `row` as contiguous (count, c): x itself, or a copy in `buffer`.
  template <class T>
  const T* load(const T* x, int64_t row, int64_t count, T* buffer) const {
    if (!select_) return x + row * c_;
    for (int64_t r = 0; r < count; ++r) {
      const T* from = x + (row + r) * c_in_;
      T* to = buffer + r * c_;
      for (int64_t j = 0; j < c_; ++j) to[j] = from[select_[j]];
    }
    return buffer;
  }

  // Where to write `count` rows of dx; store() then spreads them, zeros elsewhere.
  template <class T>
  T* target(T* dx, int64_t row, T* buffer) const {
    return select_ ? buffer : dx + row * c_;
  }
  template <class T>
  void store(T* dx, int64_t row, int64_t count, const T* buffer) const {
    if (!select_) return;
    for (int64_t r = 0; r < count; ++r) {
      T* to = dx + (row + r) * c_in_;
      std::fill(to, to + c_in_, T(0.f));
      for (int64_t j = 0; j < c_; ++j) to[select_[j]] = buffer[r * c_ + j];
    }
  }

 private:
  // At least 64 elements for independent sums; then whole vectors, unless the run is so long that its tail is
  // noise.
  static int64_t repeat_for(int64_t c) {
    int64_t r = 1;
    while (r * c < 64 || (r * c % 16 != 0 && r * c < 1024)) r *= 2;
    return r;
  }

  int64_t rows_, c_in_, c_;
  const int32_t* select_;
  int64_t repeat_, chunk_rows_;
};

struct Pair {
  float a, b;
};

// sums[j] += a, sums[width + j] += b of term(i, j) over the i = j, j + width, ... below n. Four rows per
// visit, because the sums live in L1, not in registers.
template <class Term>
void add_terms(int64_t n, int64_t width, float* sums, Term&& term) {
  int64_t i = 0;
  for (; i + 4 * width <= n; i += 4 * width) {
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) {
      const Pair t0 = term(i + j, j), t1 = term(i + j + width, j);
      const Pair t2 = term(i + j + 2 * width, j), t3 = term(i + j + 3 * width, j);
      sums[j] += (t0.a + t1.a) + (t2.a + t3.a);
      sums[width + j] += (t0.b + t1.b) + (t2.b + t3.b);
    }
  }
  for (; i < n; i += width) {
    const int64_t end = std::min(width, n - i);
#pragma omp simd
    for (int64_t j = 0; j < end; ++j) {
      const Pair t = term(i + j, j);
      sums[j] += t.a;
      sums[width + j] += t.b;
    }
  }
}

// f(i, j) for every element i of a run of n, j its slot in the repeated parameters.
template <class F>
void for_slots(int64_t n, int64_t width, F&& f) {
  for (int64_t i = 0; i < n; i += width) {
    const int64_t end = std::min(width, n - i);
#pragma omp simd
    for (int64_t j = 0; j < end; ++j) f(i + j, j);
  }
}

// f(row, count) over the rows of one chunk, four runs at a time.
template <class F>
void for_groups(const BatchNormRows& rows, int64_t chunk, F&& f) {
  const int64_t step = 4 * rows.repeat(), end = rows.chunk_end(chunk);
  for (int64_t row = rows.chunk_begin(chunk); row < end; row += step) f(row, std::min(step, end - row));
}

// Room for what one for_groups() step selects.
template <class T>
std::vector<T> group_buffer(const BatchNormRows& rows) {
  return std::vector<T>(rows.selects() ? 4 * rows.width() : 0);
}

// (R, c) -> (c), twice: the two sums of add_terms into out (2, c).
inline void fold(const BatchNormRows& rows, const float* sums, float* out) {
  for (int64_t s = 0; s < 2; ++s) {
    for (int64_t j = 0; j < rows.c(); ++j) {
      float total = 0.f;
      for (int64_t r = 0; r < rows.repeat(); ++r) total += sums[s * rows.width() + r * rows.c() + j];
      out[s * rows.c() + j] = total;
    }
  }
}

}  // namespace eb::kernels::cpu
