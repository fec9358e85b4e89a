// The PTX of every card (sm_90a: hopper.cuh): asynchronous copies, matrix loads, tensor-core multiplies. A
// wrapper has an emulated twin (kernels/emulated/ptx.h) that reads the same fragment layouts (PTX ISA 8.8,
// sections 9.7.9.25, 9.7.14.5 and 9.7.15.4), tested in tests/emulated/ptx_test.cpp.
#pragma once
#include "kernels/cuda/platform/platform.cuh"
#include "kernels/dtype.h"

#ifdef EB_EMULATED
#include "kernels/emulated/ptx.h"
#else

namespace eb::kernels::cuda {

__device__ inline uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

// Copies `bytes` (4, 8 or 16, both addresses aligned to it) from global to shared memory behind the thread's
// back; with in_range false it writes zeros and does not touch `from`.
template <int bytes>
__device__ void copy_async(void* to, const void* from, bool in_range) {
  const int valid = in_range ? bytes : 0;
  if constexpr (bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from),
                 "r"(valid)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(to)), "l"(from),
                 "n"(bytes), "r"(valid)
                 : "memory");
}
__device__ inline void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
// Until at most `pending` of this thread's committed groups are under way.
template <int pending>
__device__ void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

// Four 8x8 matrices of 16-bit elements; lane i gives the address of row i % 8 of matrix i / 8. Register m of
// lane l holds elements (l / 4, 2 * (l % 4)) and its right neighbour of matrix m; transposed: the element
// below it.
template <bool transposed>
__device__ void load_matrix_x4(uint32_t (&r)[4], const void* row) {
  if constexpr (transposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
}

// d (16, 8) += a (16, 16) b (16, 8), bf16 in, fp32 accumulators.
__device__ inline void multiply_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// d (16, 8) += a (16, 8) b (8, 8), tf32 in, fp32 accumulators.
__device__ inline void multiply_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// d (16, 8) += a (16, 32) b (32, 8), int8 in, int32 accumulators.
__device__ inline void multiply_s8(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Nearest tf32 (10 mantissa bits), ties away from zero, as the bits of a float.
__device__ inline uint32_t to_tf32(float x) {
  uint32_t r;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
  return r;
}

// Two floats as bf16, `low` in the low half, to nearest even.
__device__ inline uint32_t pack_bf16(float low, float high) {
  uint32_t r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  return r;
}

// n words by the widest accesses that n allows, 16 bytes at most, to which p must be aligned.
template <int n>
__device__ void load_words(uint32_t (&words)[n], const void* p) {
  constexpr int width = n % 4 == 0 ? 4 : n % 2 == 0 ? 2 : 1;
  using Words = Vec<uint32_t, width>;
#pragma unroll
  for (int i = 0; i < n; i += width) {
    const Words v = static_cast<const Words*>(p)[i / width];
#pragma unroll
    for (int j = 0; j < width; ++j) words[i + j] = v[j];
  }
}
// The same to global memory; asm because the compiler splits a vector's store into its words.
template <int n>
__device__ void store_words(void* p, const uint32_t (&w)[n]) {
  constexpr int width = n % 4 == 0 ? 4 : n % 2 == 0 ? 2 : 1;
#pragma unroll
  for (int i = 0; i < n; i += width) {
    uint32_t* const to = static_cast<uint32_t*>(p) + i;
    if constexpr (width == 4)
      asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(w[i]), "r"(w[i + 1]),
                   "r"(w[i + 2]), "r"(w[i + 3])
                   : "memory");
    else if constexpr (width == 2)
      asm volatile("st.global.v2.b32 [%0], {%1, %2};" ::"l"(to), "r"(w[i]), "r"(w[i + 1]) : "memory");
    else
      *to = w[i];
  }
}

}  // namespace eb::kernels::cuda
#endif
