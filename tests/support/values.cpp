#include "support/values.h"

#include <cstring>
#include <limits>
#include <random>

#include "kernels/cpu/threads.h"

namespace eb::test {

using kernels::DType;

Values::Values(DType dtype, int64_t n)
    : Values(dtype, Doubles(n, std::numeric_limits<double>::quiet_NaN())) {}

Values::Values(DType dtype, const Doubles& v) : dtype_(dtype), bytes_(v.size() * kernels::size_of(dtype)) {
  for (size_t i = 0; i < v.size(); ++i) set(static_cast<int64_t>(i), v[i]);
}

void Values::set(int64_t i, double v) {
  const float f = static_cast<float>(v);
  const kernels::bf16 b(f);
  const size_t size = kernels::size_of(dtype_);
  std::memcpy(&bytes_[i * size], dtype_ == DType::bf16 ? static_cast<const void*>(&b) : &f, size);
}

Doubles Values::get() const {
  Doubles v(size());
  for (size_t i = 0; i < v.size(); ++i) {
    float f;
    kernels::bf16 b;
    if (dtype_ == DType::bf16) {
      std::memcpy(&b, &bytes_[i * 2], 2);
      f = b;
    } else {
      std::memcpy(&f, &bytes_[i * 4], 4);
    }
    v[i] = f;
  }
  return v;
}

Doubles normal(int64_t n, uint64_t seed, double mean, double std) {
  std::mt19937_64 bits(seed);
  const auto uniform = [&] { return (static_cast<double>(bits() >> 11) + 0.5) * 0x1p-53; };
  Doubles v(n);
  for (double& x : v) x = mean + std * std::sqrt(-2 * std::log(uniform())) * std::cos(2 * M_PI * uniform());
  return v;
}

Floats to_floats(const Doubles& v) {
  return Floats(v.begin(), v.end());
}
Doubles to_doubles(const Floats& v) {
  return Doubles(v.begin(), v.end());
}

double rounding(DType dtype) {
  return dtype == DType::bf16 ? 0x1p-8 : 0x1p-24;
}

void expect_close(const Doubles& got, const Doubles& want, double relative, double absolute,
                  const char* what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(want[i]) && std::isnan(got[i])) continue;
    const double error = std::abs(got[i] - want[i]), allowed = relative * std::abs(want[i]) + absolute;
    ASSERT_TRUE(error <= allowed || got[i] == want[i])
        << what << "[" << i << "] = " << got[i] << ", want " << want[i] << " within " << allowed;
  }
}

void expect_stored(const Values& got, const Doubles& want, double error, const char* what) {
  const double half_ulp = rounding(got.dtype());
  expect_close(got.get(), want, half_ulp + error * (1 + half_ulp), error * (1 + half_ulp), what);
}

Doubles numeric_gradient(const std::function<Doubles(const Doubles&)>& f, const Doubles& x,
                         const Doubles& weight, double step) {
  const auto loss = [&](const Doubles& at) {
    const Doubles y = f(at);
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += weight[i] * y[i];
    return sum;
  };
  Doubles gradient(x.size()), at = x;
  for (size_t i = 0; i < x.size(); ++i) {
    at[i] = x[i] + step;
    const double up = loss(at);
    at[i] = x[i] - step;
    gradient[i] = (up - loss(at)) / (2 * step);
    at[i] = x[i];
  }
  return gradient;
}

ThreadCount::ThreadCount(int threads) : before_(kernels::cpu::threads()) {
  kernels::cpu::set_threads(threads);
}
ThreadCount::~ThreadCount() {
  kernels::cpu::set_threads(before_);
}

}  // namespace eb::test
