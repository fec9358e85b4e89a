// Numbers to block floating point and back (kernels/block_float.h). Blocks are contiguous: one for the whole
// tensor, one a sample, one a filter, or one an element.
#pragma once
#include "kernels/block_float.h"
#include "kernels/philox.h"
#include "kernels/pick.h"

namespace eb::kernels {

struct Quantize {
  enum class Rounding : uint8_t { nearest, stochastic };
  struct Params {
    DType dtype = DType::f32;  // of x and y
    int64_t blocks, block;     // x (blocks, block)
    int bits = 8;              // 2 to 8
    Rounding rounding = Rounding::nearest;
    // Stochastic: element i of tensor `tensor` at step `step` draws its own bits, whatever the device or
    // thread.
    uint64_t seed = 0;
    uint32_t step = 0, tensor = 0;
  };
  // codes (blocks, block), exponents (blocks). A block with NaN or infinity becomes bad_block with codes of
  // zero.
  void (*quantize)(const Params&, const void* x, int8_t* codes, int16_t* exponents);
  // y (blocks, block); NaN throughout a bad block, so that a check for finite numbers sees it.
  void (*dequantize)(const Params&, const int8_t* codes, const int16_t* exponents, void* y);
};

// A code of 8 bits takes 15 random bits, half a word, so one call of Philox serves eight elements; narrower
// codes take up to 21 bits and a word each.
constexpr int64_t elements_per_draw(int bits) {
  return bits == 8 ? 8 : 4;
}
constexpr Philox4 rounding_draw(const Quantize::Params& p, int64_t draw) {
  return philox(p.seed, Stream::quantize, p.step, static_cast<uint64_t>(draw) | uint64_t{p.tensor} << 44);
}
// The r of block_code for element i, out of draw i / elements_per_draw.
constexpr int32_t rounding_of(int bits, const Philox4& draw, int64_t i) {
  const uint32_t mask = (1u << rounding_bits(bits)) - 1;
  const uint32_t word = bits == 8 ? draw[i % 8 / 2] >> (i % 2 * 16) : draw[i % 4];
  return static_cast<int32_t>(word & mask);
}

namespace cpu {
extern const Quantize quantize;
}
namespace cuda {
extern const Quantize quantize;
}
namespace emulated {
extern const Quantize quantize;
}
inline const Quantize& quantize(Device d) {
  return pick<cpu::quantize, cuda::quantize, emulated::quantize>(d);
}

}  // namespace eb::kernels
