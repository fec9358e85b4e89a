#include "kernels/quantize.h"

#include <bit>

#include "kernels/cpu/by_dtype.h"
#include "kernels/cpu/parallel.h"

namespace eb::kernels::cpu {
namespace {

using Params = Quantize::Params;

template <class T>
uint32_t bits_of(T x) {
  return std::bit_cast<uint32_t>(static_cast<float>(x));
}

// f(block, begin, end) over pieces of blocks that are worth a thread.
template <class F>
void for_each_piece(const Params& p, F&& f) {
  const int64_t pieces = ceil_div(p.block, chunk_elements);
  const auto piece = [&](int64_t block, int64_t i) {
    f(block, i * chunk_elements, std::min(p.block, (i + 1) * chunk_elements));
  };
  if (pieces > 1) return parallel_for(p.blocks * pieces, [&](int64_t i) { piece(i / pieces, i % pieces); });
  parallel_ranges(p.blocks, p.block, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) piece(b, 0);
  });
}

template <class T>
void find_exponents(const Params& p, const T* x, int16_t* exponents) {
  const int64_t pieces = ceil_div(p.block, chunk_elements);
  std::vector<uint32_t> largest(p.blocks * pieces);
  for_each_piece(p, [&](int64_t b, int64_t begin, int64_t end) {
    uint32_t most = 0;
    for (const T* v = x + b * p.block + begin; v != x + b * p.block + end; ++v)
      most = std::max(most, bits_of(*v) & 0x7fffffffu);
    largest[b * pieces + begin / chunk_elements] = most;
  });
  for (int64_t b = 0; b < p.blocks; ++b)
    exponents[b] =
        block_exponent(*std::max_element(largest.begin() + b * pieces, largest.begin() + (b + 1) * pieces));
}

// Elements begin..end - 1, of one block.
template <bool stochastic, class T>
void encode(const Params& p, int64_t begin, int64_t end, int16_t exponent, const T* x, int8_t* codes) {
  const int64_t per_draw = elements_per_draw(p.bits);
  Philox4 draw{};
  int64_t drawn = -1;
  int32_t r = 1 << (rounding_bits(p.bits) - 1);
  for (int64_t i = begin; i < end; ++i) {
    if constexpr (stochastic) {
      if (i / per_draw != drawn) draw = rounding_draw(p, drawn = i / per_draw);
      r = rounding_of(p.bits, draw, i);
    }
    codes[i] = static_cast<int8_t>(block_code(bits_of(x[i]), exponent, p.bits, r));
  }
}

void quantize_all(const Params& p, const void* x, int8_t* codes, int16_t* exponents) {
  by_dtype(p.dtype, [&]<class T>() {
    const T* from = static_cast<const T*>(x);
    find_exponents(p, from, exponents);
    for_each_piece(p, [&](int64_t b, int64_t begin, int64_t end) {
      const int64_t first = b * p.block + begin, last = b * p.block + end;
      const int16_t e = exponents[b];
      if (e == zero_block || e == bad_block)
        std::fill(codes + first, codes + last, int8_t{0});
      else if (p.rounding == Quantize::Rounding::stochastic)
        encode<true>(p, first, last, e, from, codes);
      else
        encode<false>(p, first, last, e, from, codes);
    });
  });
}

void dequantize(const Params& p, const int8_t* codes, const int16_t* exponents, void* y) {
  by_dtype(p.dtype, [&]<class T>() {
    for_each_piece(p, [&](int64_t b, int64_t begin, int64_t end) {
      const auto scale = std::bit_cast<float>(block_scale(exponents[b], p.bits));
      for (int64_t i = b * p.block + begin; i < b * p.block + end; ++i)
        static_cast<T*>(y)[i] = T(static_cast<float>(codes[i]) * scale);
    });
  });
}

}  // namespace

const Quantize quantize = {.quantize = quantize_all, .dequantize = dequantize};

}  // namespace eb::kernels::cpu
