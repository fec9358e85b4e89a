// The largest magnitude of each sample among a convolution's outputs on their way to memory, so that
// quantising them needs no pass of its own for it.
#pragma once
#include "kernels/cuda/vector.cuh"

namespace eb::kernels::cuda {

__device__ inline uint32_t larger(uint32_t a, uint32_t b) {
  return a > b ? a : b;
}

// Bits of the largest magnitude in a word of values as they are stored.
template <class T>
__device__ uint32_t largest_of_word(uint32_t word) {
  if constexpr (sizeof(T) == 4) {
    return word & 0x7fffffffu;
  } else {
    const uint32_t low = word << 16 & 0x7fffffffu, high = word & 0x7fff0000u;
    return larger(low, high);
  }
}

// Every lane of a full warp gets the largest.
__device__ inline uint32_t warp_largest(uint32_t v) {
  for (int offset = warp_size / 2; offset > 0; offset /= 2) v = larger(v, shuffle_xor(full_warp, v, offset));
  return v;
}

// largest (samples): merges the first `rows` rows of the (m, n) tile at storage.out() into their samples'.
// Columns that do not exist hold zeros. The block's first `threads` threads call it, each warp with its own
// rows.
template <int m, int n, int threads, class Storage>
__device__ void merge_largest(Storage& storage, int64_t first_position, int64_t rows,
                              const FastDivide& by_sample, uint32_t* largest) {
  using T = std::remove_pointer_t<decltype(storage.out(0, 0))>;
  constexpr int per_warp = m / (threads / warp_size), per_word = sizeof(uint32_t) / sizeof(T);
  static_assert(m % (threads / warp_size) == 0 && n / per_word % warp_size == 0);
  const int first_row = threadIdx.x / warp_size * per_warp, lane_id = threadIdx.x % warp_size;
  const int64_t left = rows - first_row;
  const int count = left < per_warp ? static_cast<int>(left) : per_warp;
  uint32_t most = 0, sample = by_sample.divide(static_cast<uint32_t>(first_position + first_row));
  const auto flush = [&] {
    const uint32_t all = warp_largest(most);
    if (lane_id == 0) atomic_max(largest + sample, all);
    most = 0;
  };
  for (int i = 0; i < count; ++i) {
    const uint32_t of = by_sample.divide(static_cast<uint32_t>(first_position + first_row + i));
    if (of != sample) flush();
    sample = of;
    const auto* words = reinterpret_cast<const uint32_t*>(storage.out(first_row + i, 0));
#pragma unroll
    for (int j = 0; j < n / per_word; j += warp_size) {
      const uint32_t v = largest_of_word<T>(words[j + lane_id]);
      most = v > most ? v : most;
    }
  }
  if (count > 0) flush();
}

}  // namespace eb::kernels::cuda
