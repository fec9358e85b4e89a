#include "support/oracle_conv_int8.h"

#include <bit>
#include <random>

namespace eb::test {

Blocks Blocks::random(int64_t size, int64_t block, uint64_t seed, int bits) {
  std::mt19937_64 random_bits(seed);
  const int most = (1 << (bits - 1)) - 1;
  Blocks b{std::vector<int8_t>(size), std::vector<int16_t>(size / block), block, bits};
  for (int8_t& code : b.codes)
    code = static_cast<int8_t>(static_cast<int>(random_bits() % (2 * most + 1)) - most);
  for (int16_t& e : b.exponents) e = static_cast<int16_t>(static_cast<int>(random_bits() % 5) - 3);
  return b;
}

Blocks Blocks::filled(int64_t size, int64_t block, int8_t code, int16_t exponent) {
  return {std::vector<int8_t>(size, code), std::vector<int16_t>(size / block, exponent), block};
}

Doubles Blocks::code_values() const {
  return Doubles(codes.begin(), codes.end());
}

Doubles Blocks::values() const {
  Doubles v = code_values();
  for (size_t i = 0; i < v.size(); ++i) v[i] *= scale(static_cast<int64_t>(i));
  return v;
}

float Blocks::scale(int64_t element) const {
  return std::bit_cast<float>(kernels::block_scale(exponents[element / block], bits));
}

Values ConvInt8Oracle::forward(const Blocks& x, const Blocks& w, const Floats& b) const {
  const Doubles sum = sums.forward(x.code_values(), w.code_values(), {});
  const int64_t sample = sums.y_size() / p.n, of_x = sums.x_size() / p.n, filter = sums.w_size() / p.k;
  Values y(p.dtype, sums.y_size());
  for (int64_t i = 0; i < y.size(); ++i) {
    float v = static_cast<float>(sum[i]) * (x.scale(i / sample * of_x) * w.scale(i % p.k * filter));
    if (!b.empty()) v += b[i % p.k];
    y.set(i, v);
  }
  return y;
}

Values ConvInt8Oracle::backward_data(const Blocks& dy, const Blocks& w) const {
  const Doubles sum = sums.backward_data(dy.code_values(), w.code_values());
  const int64_t sample = sums.x_size() / p.n, of_dy = sums.y_size() / p.n;
  Values dx(p.dtype, sums.x_size());
  for (int64_t i = 0; i < dx.size(); ++i)
    dx.set(i, static_cast<float>(sum[i]) * (dy.scale(i / sample * of_dy) * w.scale(0)));
  return dx;
}

std::vector<uint32_t> ConvInt8Oracle::largest(const Values& y) const {
  const Doubles v = y.get();
  std::vector<uint32_t> most(p.n);
  for (size_t i = 0; i < v.size(); ++i) {
    uint32_t& m = most[i / (v.size() / p.n)];
    m = std::max(m, std::bit_cast<uint32_t>(static_cast<float>(v[i])) & 0x7fffffffu);
  }
  return most;
}

}  // namespace eb::test
