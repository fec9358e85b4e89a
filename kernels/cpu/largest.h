// Largest magnitudes of blocks, as bits: non-negative floats order like their bits.
#pragma once
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>

namespace eb::kernels::cpu {

template <class T>
uint32_t bits_of(T x) {
  return std::bit_cast<uint32_t>(static_cast<float>(x));
}

template <class T>
uint32_t largest_of(int64_t n, const T* x) {
  uint32_t most = 0;
#pragma omp simd reduction(max : most)
  for (int64_t i = 0; i < n; ++i) most = std::max(most, bits_of(x[i]) & 0x7fffffffu);
  return most;
}

// Several threads may raise the same number: a maximum is free of order.
inline void raise(uint32_t& to, uint32_t bits) {
  std::atomic_ref<uint32_t> shared(to);
  uint32_t now = shared.load(std::memory_order_relaxed);
  while (now < bits && !shared.compare_exchange_weak(now, bits, std::memory_order_relaxed)) {
  }
}

}  // namespace eb::kernels::cpu
