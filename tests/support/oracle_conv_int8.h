// Convolution of block floating point numbers by its definition: sums of codes, exact in double, scaled once
// in fp32.
#pragma once
#include "kernels/conv2d_int8.h"
#include "support/oracle_conv.h"

namespace eb::test {

struct Blocks {
  std::vector<int8_t> codes;
  std::vector<int16_t> exponents;
  int64_t block = 1;
  int bits = 8;

  // Codes of every size and exponents within four powers of two, so that sums of samples stay comparable.
  static Blocks random(int64_t size, int64_t block, uint64_t seed, int bits = 8);
  static Blocks filled(int64_t size, int64_t block, int8_t code, int16_t exponent);
  Doubles code_values() const;
  Doubles values() const;
  float scale(int64_t element) const;  // of the block that holds the element
};

struct ConvInt8Oracle {
  kernels::Conv2d::Params p;
  ConvOracle sums{p};

  Values forward(const Blocks& x, const Blocks& w, const Floats& b) const;  // b empty: none
  Values backward_data(const Blocks& dy, const Blocks& w) const;
  // Bits of the largest |y| of every sample.
  std::vector<uint32_t> largest(const Values& y) const;
};

}  // namespace eb::test
