// Block floating point, the number format of SWALP (Yang et al., ICML 2019; QPyTorch's block quantiser,
// docs/method.md 5.3): the numbers of a block share the exponent E of its largest magnitude, each is a code
// of `bits` bits with value = code * 2^(E + 2 - bits) and |code| < 2^(bits - 1). Integer arithmetic on the
// bits of the float, so that every device gives the same codes.
#pragma once
#include <cstdint>

namespace eb::kernels {

// Shared exponents that are no power of two: all codes are zero; the block holds NaN or infinity.
inline constexpr int16_t zero_block = -32768, bad_block = 32767;

// largest: the bits of the largest |x| of the block; non-negative floats order like their bits. A block whose
// numbers are all subnormal counts as zero.
constexpr int16_t block_exponent(uint32_t largest) {
  const uint32_t field = largest >> 23;
  if (field == 0) return zero_block;
  return field == 255 ? bad_block : static_cast<int16_t>(static_cast<int>(field) - 127);
}

// Random bits that a code of `bits` bits takes.
constexpr int rounding_bits(int bits) {
  return 23 - bits;
}

// The code of a float, given by its bits, in a block of exponent E: floor(x' / delta + r / 2^rounding_bits),
// where x' is x to the nearest multiple of 2^(E - 21), ties to even, and delta = 2^(E + 2 - bits). r is
// random below 2^rounding_bits for stochastic rounding, half of that for the nearest (ties upwards). It may
// be one too large in magnitude.
constexpr int32_t unclamped_code(uint32_t x, int exponent, int bits, int32_t r) {
  const int field = static_cast<int>(x >> 23 & 0xff);
  const uint32_t mantissa = (x & 0x7fffff) | (field ? 0x800000u : 0u);
  const int shift = exponent + 2 - ((field ? field : 1) - 127);  // 2 or more: exponent is the largest
  if (shift > 24) return 0;                                      // x' is zero
  const uint32_t half = 1u << (shift - 1);
  const auto magnitude = static_cast<int32_t>((mantissa + half - 1 + (mantissa >> shift & 1)) >> shift);
  return ((x >> 31 ? -magnitude : magnitude) + r) >> rounding_bits(bits);
}

constexpr int32_t clamp_code(int32_t code, int bits) {
  const int32_t most = (1 << (bits - 1)) - 1;
  return code > most ? most : code < -most ? -most : code;
}

constexpr int32_t block_code(uint32_t x, int exponent, int bits, int32_t r) {
  return clamp_code(unclamped_code(x, exponent, bits, r), bits);
}

// 2^k as the bits of a float, -149 <= k <= 127.
constexpr uint32_t power_of_two(int k) {
  return k >= -126 ? static_cast<uint32_t>(k + 127) << 23 : 1u << (k + 149);
}

// The bits of what a block's codes are multiplied by.
constexpr uint32_t block_scale(int16_t exponent, int bits) {
  if (exponent == zero_block) return 0;
  return exponent == bad_block ? 0x7fc00000u : power_of_two(exponent + 2 - bits);
}

}  // namespace eb::kernels
