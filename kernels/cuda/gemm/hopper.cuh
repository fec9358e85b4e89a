// The asynchronous units of sm_90a: mbarriers, bulk tensor copies (TMA) and warpgroup multiplies (wgmma) as
// wrappers with emulated twins (kernels/emulated/hopper.h), tested in tests/emulated/hopper_test.cpp. PTX ISA
// 8.8, sections 9.7.13.15 (mbarrier), 9.7.9.27 (bulk tensor copies) and 9.7.16 (wgmma). Only kernels whose
// body is compiled for sm_90a alone (EB_SM90A) may call them.
#pragma once
#include "kernels/cuda/gemm/ptx.cuh"
#include "kernels/cuda/gemm/tensor_map.h"

namespace eb::kernels::cuda {

// Counts arrivals and bytes; a phase ends when both are complete. 8 bytes of shared memory.
struct Mbarrier {
  uint64_t state;
};

inline constexpr int warpgroup_size = 128;

// How wgmma finds an operand in shared memory, for tiles of 128-byte rows as a bulk tensor copy
// with 128-byte swizzle lays them: eight rows are an atom of 1,024 bytes. K-major: rows are m or n, atoms
// follow each other. MN-major: rows are steps of k, atoms follow each other along k, and the next 64 of m or
// n are `leading` bytes away. `address` is that of shared memory; the tile is a multiple of 1,024 bytes from
// its start.
constexpr uint64_t operand_descriptor(uint32_t address, uint32_t leading) {
  constexpr uint64_t swizzle_128 = 1, atom = 1024;
  return (address & 0x3ffff) >> 4 | uint64_t{leading >> 4} << 16 | (atom >> 4) << 32 | swizzle_128 << 62;
}
// To the next instruction's steps of k: 32 bytes along a row, or 16 rows.
template <bool mn_major>
inline constexpr uint64_t next_k = (mn_major ? 2048 : 32) >> 4;

}  // namespace eb::kernels::cuda

#ifdef EB_EMULATED
#include "kernels/emulated/hopper.h"
#define EB_SM90A 1
#else
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#define EB_SM90A 1
#endif

namespace eb::kernels::cuda {

__device__ inline void barrier_init(Mbarrier& b, unsigned arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(&b)), "r"(arrivals) : "memory");
}
// Makes initialised barriers visible to the copy unit; the block's threads still need a sync_threads.
__device__ inline void fence_barrier_init() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
// Orders this thread's plain accesses to shared memory before those of the asynchronous units it starts next.
__device__ inline void fence_async() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
__device__ inline void arrive(Mbarrier& b) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(&b)) : "memory");
}
// Arrives, and the phase shall not end before `bytes` more have been copied.
__device__ inline void arrive_expecting(Mbarrier& b, unsigned bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(&b)), "r"(bytes)
               : "memory");
}
// Until the phase of this parity has ended. A new barrier is in phase 0, so parity 1 does not wait.
__device__ inline void wait(Mbarrier& b, unsigned parity) {
  uint32_t done = 0;
  while (!done)
    asm volatile(
        "{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.u32 %0, 1, 0, p;\n}"
        : "=r"(done)
        : "r"(shared_address(&b)), "r"(parity)
        : "memory");
}

// One thread starts the copy of a whole box, whose bytes are counted by b, also those outside the tensor.
__device__ inline void copy_box(void* to, const TensorMap& map, Mbarrier& b, int x, int y, int z) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], "
      "[%1, {%3, %4, %5}], [%2];" ::"r"(shared_address(to)),
      "l"(&map), "r"(shared_address(&b)), "r"(x), "r"(y), "r"(z)
      : "memory");
}
struct PixelPosition {
  int c, w, h, n;
};
// A run of pixels from `at` (inside the map's window), each moved by (offset_h, offset_w).
__device__ inline void copy_pixels(void* to, const TensorMap& map, Mbarrier& b, const PixelPosition& at,
                                   int offset_h, int offset_w) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], "
      "[%1, {%3, %4, %5, %6}], [%2], {%7, %8};" ::"r"(shared_address(to)),
      "l"(&map), "r"(shared_address(&b)), "r"(at.c), "r"(at.w), "r"(at.h), "r"(at.n),
      "h"(static_cast<uint16_t>(offset_w)), "h"(static_cast<uint16_t>(offset_h))
      : "memory");
}

// Before the first wgmma after the accumulators were written or waited for.
__device__ inline void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ inline void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
// Until at most `pending` of the warp's committed groups are under way.
template <int pending>
__device__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
}
// Until all are done; only then may d be read. The compiler may not move reads of d ahead.
template <int size>
__device__ void wgmma_finish(float (&d)[size]) {
  wgmma_wait<0>();
#pragma unroll
  for (int i = 0; i < size; ++i) asm volatile("" : "+f"(d[i])::"memory");
}
template <int size>
__device__ void wgmma_finish(int32_t (&d)[size]) {
  wgmma_wait<0>();
#pragma unroll
  for (int i = 0; i < size; ++i) asm volatile("" : "+r"(d[i])::"memory");
}

#define EB_D8(i)                                                                              \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), \
      "+f"(d[i + 6]), "+f"(d[i + 7])

// d (64, n) += a (64, 16) b (16, n) for a warpgroup, bf16 in, fp32 accumulators. Register i of thread t: row
// 16 * (t / 32) + t % 32 / 4 + 8 * (i / 2 % 2), column 8 * (i / 4) + 2 * (t % 4) + i % 2.
template <bool a_mn_major, bool b_mn_major>
__device__ void wgmma(float (&d)[32], uint64_t a, uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, "
      "%22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, %32, %33, 1, 1, 1, %34, %35;"
      : EB_D8(0), EB_D8(8), EB_D8(16), EB_D8(24)
      : "l"(a), "l"(b), "n"(int{a_mn_major}), "n"(int{b_mn_major}));
}
template <bool a_mn_major, bool b_mn_major>
__device__ void wgmma(float (&d)[64], uint64_t a, uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, "
      "%22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, "
      "%42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, "
      "%62, %63}, %64, %65, 1, 1, 1, %66, %67;"
      : EB_D8(0), EB_D8(8), EB_D8(16), EB_D8(24), EB_D8(32), EB_D8(40), EB_D8(48), EB_D8(56)
      : "l"(a), "l"(b), "n"(int{a_mn_major}), "n"(int{b_mn_major}));
}
#undef EB_D8

#define EB_D8(i)                                                                              \
  "+r"(d[i]), "+r"(d[i + 1]), "+r"(d[i + 2]), "+r"(d[i + 3]), "+r"(d[i + 4]), "+r"(d[i + 5]), \
      "+r"(d[i + 6]), "+r"(d[i + 7])

// The same of codes: d (64, n) += a (64, 32) b (32, n), int8 in, int32 accumulators. Both are K-major: bytes
// have no other order.
__device__ inline void wgmma_s8(int32_t (&d)[32], uint64_t a, uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k32.s32.s8.s8 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, "
      "%22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, %32, %33, 1;"
      : EB_D8(0), EB_D8(8), EB_D8(16), EB_D8(24)
      : "l"(a), "l"(b));
}
__device__ inline void wgmma_s8(int32_t (&d)[64], uint64_t a, uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k32.s32.s8.s8 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, "
      "%22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, "
      "%42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, "
      "%62, %63}, %64, %65, 1;"
      : EB_D8(0), EB_D8(8), EB_D8(16), EB_D8(24), EB_D8(32), EB_D8(40), EB_D8(48), EB_D8(56)
      : "l"(a), "l"(b));
}
#undef EB_D8

}  // namespace eb::kernels::cuda
#endif
