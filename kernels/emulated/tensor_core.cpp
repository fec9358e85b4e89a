#include "kernels/emulated/tensor_core.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

namespace eb::kernels::emulated {

namespace {

constexpr int most_columns = 256;
constexpr int of_zero = -1000;  // below every exponent

// Of a number that is not zero: its leading bit's, subnormals as if they had one.
int exponent(float x) {
  const int biased = static_cast<int>(std::bit_cast<uint32_t>(x) >> 23 & 0xff);
  return x == 0 ? of_zero : std::max(biased, 1) - 127;
}

float toward_zero(double x) {
  const float nearest = static_cast<float>(x);
  return std::abs(double{nearest}) > std::abs(x) ? std::nextafter(nearest, 0.f) : nearest;
}

double power_of_two(int e) {
  return std::bit_cast<double>(static_cast<uint64_t>(e + 1023) << 52);
}

// The terms of one addition, of up to most_columns columns side by side.
struct Addition {
  int largest[most_columns];   // exponent
  double scale[most_columns];  // 1 / the unit that is cut at
  double units[most_columns];  // sum, a whole number
};

void add_terms(float* d, const float* a, const float* b, const int* b_exponent, int terms, int n,
               int fraction_bits) {
  static thread_local Addition s;
  for (int j = 0; j < n; ++j) s.largest[j] = exponent(d[j]);
  for (int i = 0; i < terms; ++i) {
    const int ea = exponent(a[i]);
    for (int j = 0; j < n; ++j) s.largest[j] = std::max(s.largest[j], ea + b_exponent[i * n + j]);
  }
  for (int j = 0; j < n; ++j) {
    s.scale[j] = power_of_two(std::clamp(fraction_bits - s.largest[j], -900, 900));
    s.units[j] = std::trunc(d[j] * s.scale[j]);
  }
  // Below 2^(fraction_bits + 2), so an int32 cuts it.
  for (int i = 0; i < terms; ++i)
    for (int j = 0; j < n; ++j)
      s.units[j] += static_cast<int32_t>(double{a[i]} * double{b[i * n + j]} * s.scale[j]);
  for (int j = 0; j < n; ++j)
    if (s.largest[j] > of_zero / 2) d[j] = toward_zero(s.units[j] / s.scale[j]);
}

bool finite(const float* x, int count) {
  return std::all_of(x, x + count, [](float v) { return std::isfinite(v); });
}

}  // namespace

void TensorCore::multiply_add(float* d, const float* a, const float* b, int m, int k, int n) const {
  static thread_local std::vector<int> b_exponent;
  b_exponent.resize(static_cast<size_t>(k) * n);
  for (int i = 0; i < k * n; ++i) b_exponent[i] = exponent(b[i]);
  const bool finite_b = finite(b, k * n);
  for (int row = 0; row < m; ++row, d += n, a += k) {
    if (!finite_b || !finite(d, n) || !finite(a, k)) {
      for (int i = 0; i < k; ++i)
        for (int j = 0; j < n; ++j) d[j] += a[i] * b[i * n + j];
      continue;
    }
    for (int i = 0; i < k; i += terms)
      add_terms(d, a + i, b + i * n, &b_exponent[i * n], std::min(terms, k - i), n, fraction_bits);
  }
}

}  // namespace eb::kernels::emulated
