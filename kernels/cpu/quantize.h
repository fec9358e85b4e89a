// Rounding runs of neighbours to block floating point, in loops that vectorise; the codes are those of
// block_code. What quantize and round_blocks share.
#pragma once
#include <immintrin.h>

#include <bit>

#include "kernels/cpu/largest.h"
#include "kernels/round_blocks.h"

namespace eb::kernels::cpu {

// How a tensor is rounded, and what names its random numbers.
struct Rounding {
  int bits = 8;
  bool stochastic = false;
  uint64_t seed = 0;
  uint32_t step = 0;
  int64_t first = 0;  // what comes before the arrays' first element in their tensor
};

template <class T>
struct RoundedArrays {
  const T* x;
  float* y;       // may be null
  int8_t* codes;  // may be null
  int16_t* exponents;
  Quantize::Counts* counts;  // one a segment; may be null
  const uint32_t* largest;   // of each block; may be null
};

// T: float or bf16.
template <class T>
void round_segments(const Rounding&, const RoundBlocks::Segment* segments, int64_t n_segments,
                    const RoundedArrays<T>&);
extern template void round_segments(const Rounding&, const RoundBlocks::Segment*, int64_t,
                                    const RoundedArrays<float>&);
extern template void round_segments(const Rounding&, const RoundBlocks::Segment*, int64_t,
                                    const RoundedArrays<bf16>&);

template <class T>
void decode(int64_t n, float scale, const int8_t* codes, T* y) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(codes[i]) * scale;
}

// words (4 * n uint32): rounding_draw of tensor's draws first to first + n - 1, n a multiple of four. Four
// draws at once, a word of the counter in the low half of each 64-bit lane; what is in the high halves does
// not matter.
inline void rounding_draws(const Rounding& how, uint32_t tensor, int64_t first, int64_t n, void* words) {
  const __m256i m0 = _mm256_set1_epi64x(0xD2511F53), m2 = _mm256_set1_epi64x(0xCD9E8D57);
  for (int64_t at = 0; at < n; at += 4) {
    __m256i c0 = _mm256_add_epi64(
        _mm256_set1_epi64x(static_cast<int64_t>(static_cast<uint64_t>(first + at) | uint64_t{tensor} << 44)),
        _mm256_set_epi64x(3, 2, 1, 0));
    __m256i c1 = _mm256_srli_epi64(c0, 32), c2 = _mm256_set1_epi64x(how.step),
            c3 = _mm256_set1_epi64x(static_cast<int64_t>(Stream::quantize));
    auto k0 = static_cast<uint32_t>(how.seed), k1 = static_cast<uint32_t>(how.seed >> 32);
    for (int round = 0; round < 10; ++round) {
      const __m256i a = _mm256_mul_epu32(m0, c0), b = _mm256_mul_epu32(m2, c2);
      c0 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(b, 32), c1), _mm256_set1_epi64x(k0));
      c2 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(a, 32), c3), _mm256_set1_epi64x(k1));
      c1 = b, c3 = a;
      k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    const __m256i low = _mm256_blend_epi32(c0, _mm256_slli_epi64(c1, 32), 0xaa),
                  high = _mm256_blend_epi32(c2, _mm256_slli_epi64(c3, 32), 0xaa);
    const __m256i even = _mm256_unpacklo_epi64(low, high), odd = _mm256_unpackhi_epi64(low, high);
    auto* to = static_cast<__m256i*>(words) + at / 2;
    _mm256_storeu_si256(to, _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(even, odd, 0x31));
  }
}

// block_code of n numbers of a block, r(i) as there. Adding 6 * 2^exponent leaves x' in the low bits of a
// float, as a multiple of its last place; what would overflow is scaled down first, exactly where it counts.
template <bool counted, class T, class R>
void encode(int64_t n, int16_t exponent, int bits, const T* x, R&& r, int8_t* codes,
            Quantize::Counts& counts) {
  const bool huge = exponent > 124;
  const float scale = huge ? 0x1p-8f : 1.f;
  const auto base = 6 * std::bit_cast<float>(power_of_two(exponent - (huge ? 8 : 0)));
  const auto base_bits = std::bit_cast<int32_t>(base);
  const int shift = rounding_bits(bits);
  const int32_t most = (1 << (bits - 1)) - 1;
  int32_t saturated = 0, flushed = 0;
#pragma omp simd reduction(+ : saturated, flushed)
  for (int64_t i = 0; i < n; ++i) {
    const float v = x[i];
    const int32_t code = (std::bit_cast<int32_t>(v * scale + base) - base_bits + r(i)) >> shift;
    const int32_t clamped = std::min(std::max(code, -most), most);
    codes[i] = static_cast<int8_t>(clamped);
    if constexpr (counted) {
      saturated += code != clamped;
      flushed += (clamped == 0) & (v != 0);
    }
  }
  counts.saturated += static_cast<uint64_t>(saturated);
  counts.flushed += static_cast<uint64_t>(flushed);
}

}  // namespace eb::kernels::cpu
