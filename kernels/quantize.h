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
    // Stochastic: element i of tensor `tensor` (below 2^20) draws its own bits at every step, whatever the
    // device or thread.
    uint64_t seed = 0;
    uint32_t tensor = 0;
    int64_t first = 0;  // x's first element is this one of the whole tensor: names its random bits
  };
  // What rounding did to numbers: clamped to the largest code; not zero, but coded as zero. A bad block
  // counts nothing.
  struct Counts {
    uint64_t saturated = 0, flushed = 0;
  };
  struct Arrays {
    const void* x;                   // (blocks, block)
    const uint32_t* step = nullptr;  // (1) number of the training step for stochastic rounding; null: 0
    // (blocks) bits of the largest |x| of each block, where whoever wrote x has found them already
    const uint32_t* largest = nullptr;
    int8_t* codes;              // (blocks, block), zero where the block holds NaN or infinity
    int16_t* exponents;         // (blocks), bad_block there
    Counts* counts = nullptr;   // (1) added to
    void* workspace = nullptr;  // (workspace_bytes)
  };
  size_t (*workspace_bytes)(const Params&);  // of quantize
  void (*quantize)(const Params&, const Arrays&);
  // y (blocks, block); NaN throughout a bad block, so that a check for finite numbers sees it.
  void (*dequantize)(const Params&, const int8_t* codes, const int16_t* exponents, void* y);
};

// A code of 8 bits takes 15 random bits, half a word, so one call of Philox serves eight elements; narrower
// codes take up to 21 bits and a word each.
constexpr int64_t elements_per_draw(int bits) {
  return bits == 8 ? 8 : 4;
}
constexpr Philox4 rounding_draw(uint64_t seed, uint32_t step, uint32_t tensor, int64_t draw) {
  return philox(seed, Stream::quantize, step, static_cast<uint64_t>(draw) | uint64_t{tensor} << 44);
}
// The r of block_code for element i, out of draw i / elements_per_draw: from this word of it.
constexpr int64_t rounding_word(int bits, int64_t i) {
  return bits == 8 ? i % 8 / 2 : i % 4;
}
constexpr int32_t rounding_of(int bits, uint32_t word, int64_t i) {
  const uint32_t mask = (1u << rounding_bits(bits)) - 1;
  return static_cast<int32_t>((bits == 8 ? word >> (i % 2 * 16) : word) & mask);
}
constexpr int32_t rounding_of(int bits, const Philox4& draw, int64_t i) {
  return rounding_of(bits, draw[rounding_word(bits, i)], i);
}

namespace cpu {
extern const Quantize quantize;
}
namespace cuda {
extern const Quantize quantize;
}
inline const Quantize& quantize(Device d) {
  return pick<cpu::quantize, cuda::quantize>(d);
}

}  // namespace eb::kernels
