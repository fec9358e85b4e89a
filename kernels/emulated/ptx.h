// Emulated twins of kernels/cuda/gemm/ptx.cuh: warp collectives over the fragment layouts of the PTX ISA.
#pragma once
#include <bit>
#include <cstring>

#include "kernels/dtype.h"
#include "kernels/emulated/shim.h"

namespace eb::kernels::cuda {

template <int bytes>
void copy_async(void* to, const void* from, bool in_range, Where where = Where::current()) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16);
  block().copy_async({to, from, bytes, in_range ? bytes : 0u}, where);
}
inline void commit_copies() {
  block().commit_copies();
}
template <int pending>
void wait_copies() {
  block().wait_copies(pending);
}

void load_matrix_x4(uint32_t (&r)[4], const void* row, bool transposed, Where where);
template <bool transposed>
void load_matrix_x4(uint32_t (&r)[4], const void* row, Where where = Where::current()) {
  load_matrix_x4(r, row, transposed, where);
}

void multiply_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                   Where where = Where::current());
void multiply_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                   Where where = Where::current());
void multiply_s8(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                 Where where = Where::current());

inline uint32_t to_tf32(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7f800000u) == 0x7f800000u) return bits;  // infinity and NaN as they are
  return (bits + 0x1000u) & ~0x1fffu;
}
inline uint32_t pack_bf16(float low, float high) {
  return bf16::round(low) | uint32_t{bf16::round(high)} << 16;
}

template <int n>
void check_words(const void* p, Where where) {
  constexpr uintptr_t bytes = n % 4 == 0 ? 16 : n % 2 == 0 ? 8 : 4;
  if (reinterpret_cast<uintptr_t>(p) % bytes != 0) block().fail("address not aligned", "words", where);
}
template <int n>
void load_words(uint32_t (&words)[n], const void* p, Where where = Where::current()) {
  check_words<n>(p, where);
  std::memcpy(words, p, sizeof words);
}
template <int n>
void store_words(void* p, const uint32_t (&words)[n], Where where = Where::current()) {
  check_words<n>(p, where);
  std::memcpy(p, words, sizeof words);
}

}  // namespace eb::kernels::cuda
