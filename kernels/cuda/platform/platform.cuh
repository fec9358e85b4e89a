// What a kernel source may use, the same in both worlds: nvcc compiles it for cards, g++ against the emulated
// CUDA model. Rules for kernel sources are in docs/emulation.md.
#pragma once
#include <cstddef>
#include <cstdint>

#ifdef EB_EMULATED
#include "kernels/emulated/shim.h"
#else
#include "kernels/cuda/platform/device.cuh"
#endif

namespace eb::kernels::cuda {

inline constexpr int warp_size = 32;
inline constexpr unsigned full_warp = 0xffffffffu;

// N elements moved by one load or store of N * sizeof(T) bytes; the address must be aligned to that.
template <class T, int N>
struct alignas(sizeof(T) * N) Vec {
  T v[N];
  __device__ T& operator[](int i) { return v[i]; }
  __device__ const T& operator[](int i) const { return v[i]; }
};

constexpr int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// Sum over the lanes of a full warp in a fixed order; every lane gets it.
template <class T>
__device__ T warp_sum(T v) {
  for (int offset = warp_size / 2; offset > 0; offset /= 2) v += shuffle_xor(full_warp, v, offset);
  return v;
}

// Division of n < 2^31 by a divisor fixed per launch: one multiply and one shift instead of about 20
// instructions (Granlund and Montgomery, PLDI 1994).
struct FastDivide {
  uint32_t divisor = 1, multiplier = 0, shift = 0;
  FastDivide() = default;
  explicit FastDivide(int64_t d) : divisor(static_cast<uint32_t>(d)) {
    if (divisor == 1) return;
    while ((uint64_t{1} << shift) < divisor) ++shift;
    multiplier =
        static_cast<uint32_t>(((uint64_t{1} << 32) * ((uint64_t{1} << shift) - divisor)) / divisor + 1);
  }
  __device__ uint32_t divide(uint32_t n) const {
    const uint32_t high = static_cast<uint32_t>((uint64_t{n} * multiplier) >> 32);
    return (high + n) >> shift;
  }
  __device__ uint32_t divide(uint32_t n, uint32_t& remainder) const {
    const uint32_t q = divide(n);
    remainder = n - q * divisor;
    return q;
  }
};

}  // namespace eb::kernels::cuda
