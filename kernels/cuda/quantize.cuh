// What quantize and round_blocks share: large blocks cut into slices, the codes of a few neighbours, counts.
#pragma once
#include "kernels/cuda/largest.cuh"
#include "kernels/cuda/vector.cuh"
#include "kernels/quantize.h"

namespace eb::kernels::cuda {

inline constexpr int round_threads = 256;

// A block is cut into slices, so that one block for the whole tensor keeps the card busy too; the slices'
// maxima are merged by whoever needs them, which is free of order and of atomics.
struct Cut {
  int64_t slices, elements;  // of a block; elements of a slice, a multiple of 8
};
constexpr Cut cut_block(int64_t block) {
  constexpr int64_t per_slice = 16384, most_slices = 256;
  int64_t slices = ceil_div(block, per_slice);
  if (slices > most_slices) slices = most_slices;
  const int64_t elements = ceil_div(ceil_div(block, slices), 8) * 8;
  return {ceil_div(block, elements), elements};
}

struct Slice {
  int64_t first, end;  // elements of the tensor
  __device__ Slice(int64_t block_size, const Cut& c, int64_t block, int64_t slice) {
    first = block * block_size + slice * c.elements;
    const int64_t last = (block + 1) * block_size;
    end = first + c.elements < last ? first + c.elements : last;
  }
};

struct BlockLargest {
  uint32_t warps[round_threads / warp_size];
};

// The largest over the threads of the block, for all of them.
__device__ inline uint32_t block_largest(uint32_t v) {
  auto& s = shared<BlockLargest>();
  v = warp_largest(v);
  if (threadIdx.x % warp_size == 0) s.warps[threadIdx.x / warp_size] = v;
  sync_threads();
  for (int w = 0; w < round_threads / warp_size; ++w) v = larger(v, s.warps[w]);
  return v;
}

// Bits of the largest magnitude of elements begin, begin + stride, ... below end, N at a time.
template <int N, class T>
__device__ uint32_t largest_of(const T* x, int64_t begin, int64_t end, int64_t stride) {
  uint32_t most = 0;
  for (int64_t i = begin; i < end; i += stride) {
    Run<T, N> v;
    v.load(x + i);
#pragma unroll
    for (int j = 0; j < N; ++j) most = larger(most, bits_of(v[j]) & 0x7fffffffu);
  }
  return most;
}

// How a block is rounded, and what names its random numbers.
struct BlockFormat {
  int bits;
  int16_t exponent;
  uint64_t seed;
  uint32_t step, tensor;
  __device__ bool encoded() const { return exponent != zero_block && exponent != bad_block; }
};

struct Tally {
  uint32_t saturated = 0, flushed = 0;
  // By every lane of a full warp.
  __device__ void add_to(Quantize::Counts* counts) const {
    const uint32_t s = warp_sum(saturated), f = warp_sum(flushed);
    if (threadIdx.x % warp_size != 0) return;
    if (s) atomic_add(reinterpret_cast<unsigned long long*>(&counts->saturated), 0ull + s);
    if (f) atomic_add(reinterpret_cast<unsigned long long*>(&counts->flushed), 0ull + f);
  }
};

// r of block_code for elements i to i + N - 1, N and i multiples of eight or N one. No word of a draw is
// named by a variable: the draw would have to lie in memory.
template <int N>
__device__ void random_bits(const BlockFormat& f, int64_t i, int32_t (&r)[N]) {
  const int64_t per_draw = elements_per_draw(f.bits);
  Philox4 draw = rounding_draw(f.seed, f.step, f.tensor, i / per_draw);
  if constexpr (N == 1) {
    const int64_t wanted = rounding_word(f.bits, i);
    uint32_t word = draw[0];
#pragma unroll
    for (int k = 1; k < 4; ++k) word = wanted == k ? draw[k] : word;
    r[0] = rounding_of(f.bits, word, i);
  } else {
    static_assert(N == 8);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      if (j == 4 && per_draw == 4) draw = rounding_draw(f.seed, f.step, f.tensor, i / 4 + 1);
      r[j] = f.bits == 8 ? rounding_of(8, draw[rounding_word(8, j)], j)
                         : rounding_of(f.bits, draw[rounding_word(7, j)], j);
    }
  }
}

// Codes of elements i to i + N - 1 of a tensor, N and i as for random_bits.
template <bool stochastic, bool counted, class T, int N>
__device__ void codes_of(const BlockFormat& f, int64_t i, const Run<T, N>& v, int32_t (&code)[N],
                         Tally& tally) {
  int32_t r[N];
#pragma unroll
  for (int j = 0; j < N; ++j) r[j] = 1 << (rounding_bits(f.bits) - 1);
  if (stochastic && f.encoded()) random_bits(f, i, r);
#pragma unroll
  for (int j = 0; j < N; ++j) {
    const int32_t unclamped = f.encoded() ? unclamped_code(bits_of(v[j]), f.exponent, f.bits, r[j]) : 0;
    code[j] = clamp_code(unclamped, f.bits);
    if constexpr (counted) {
      tally.saturated += code[j] != unclamped;
      tally.flushed += code[j] == 0 && v[j] != 0 && f.exponent != bad_block;
    }
  }
}

template <int N>
__device__ void store_codes(int8_t* codes, const int32_t (&code)[N]) {
  uint32_t bytes[N];
#pragma unroll
  for (int j = 0; j < N; ++j) bytes[j] = static_cast<uint32_t>(code[j]) & 0xffu;
  store_bytes(reinterpret_cast<uint8_t*>(codes), bytes);
}

}  // namespace eb::kernels::cuda
