// Arrays for kernel tests: activations in either dtype, random inputs, comparison with a double oracle.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/dtype.h"

namespace eb::test {

using Doubles = std::vector<double>;
using Floats = std::vector<float>;

// An activation array as kernels see it. Outputs start as NaN, so that an element nobody wrote is caught.
class Values {
 public:
  Values(kernels::DType dtype, int64_t n);
  Values(kernels::DType dtype, const Doubles& v);  // rounds to dtype

  void* data() { return bytes_.data(); }
  const void* data() const { return bytes_.data(); }
  int64_t size() const { return static_cast<int64_t>(bytes_.size() / kernels::size_of(dtype_)); }
  kernels::DType dtype() const { return dtype_; }
  Doubles get() const;
  void set(int64_t i, double v);
  bool operator==(const Values& other) const { return bytes_ == other.bytes_; }

 private:
  kernels::DType dtype_;
  std::vector<unsigned char> bytes_;
};

// Normal numbers, the same for every run and platform with IEEE doubles.
Doubles normal(int64_t n, uint64_t seed, double mean = 0, double std = 1);
Floats to_floats(const Doubles& v);
Doubles to_doubles(const Floats& v);

// Half a unit in the last place, as a fraction of the value: what one rounding to dtype may cost.
double rounding(kernels::DType dtype);

// |got - want| <= relative * |want| + absolute for every element; NaN equals NaN.
void expect_close(const Doubles& got, const Doubles& want, double relative, double absolute,
                  const char* what);
// The same after one rounding to dtype: got was computed in float with error `absolute` (times 1 + |want|),
// then stored.
void expect_stored(const Values& got, const Doubles& want, double error, const char* what);

// run() must return the same bits with 1, 2 and 3 threads. Restores the number of threads.
template <class F>
void expect_same_bits_for_any_threads(F&& run);

// d sum(weight * f(x)) / dx by central differences.
Doubles numeric_gradient(const std::function<Doubles(const Doubles&)>& f, const Doubles& x,
                         const Doubles& weight, double step = 1e-5);

class ThreadCount {  // sets the number of kernel threads for a scope
 public:
  explicit ThreadCount(int threads);
  ~ThreadCount();

 private:
  int before_;
};

template <class F>
void expect_same_bits_for_any_threads(F&& run) {
  const auto with = [&](int threads) {
    ThreadCount scope(threads);
    return run();
  };
  const auto one = with(1);
  EXPECT_TRUE(one == with(2)) << "2 threads give other bits than 1";
  EXPECT_TRUE(one == with(3)) << "3 threads give other bits than 1";
}

}  // namespace eb::test
