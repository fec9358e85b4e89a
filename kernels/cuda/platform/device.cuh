// The CUDA side of platform.cuh: thin names over the intrinsics, and the one place that launches.
#pragma once
#include <cuda_runtime.h>

#include <tuple>
#include <utility>

#include "kernels/cuda/platform/runtime.h"

namespace eb::kernels::cuda {

// Dynamic shared memory of the block as a T; the launch must ask for sizeof(T) bytes at least.
template <class T>
__device__ T& shared() {
  extern __shared__ __align__(1024) unsigned char eb_shared_bytes[];
  return *reinterpret_cast<T*>(eb_shared_bytes);
}

__device__ inline void sync_threads() {
  __syncthreads();
}
__device__ inline void sync_warp(unsigned mask) {
  __syncwarp(mask);
}
// Named barrier 1..15 of `count` threads, a multiple of 32.
__device__ inline void named_barrier(int id, int count) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(count) : "memory");
}
__device__ inline void thread_fence() {
  __threadfence();
}

template <class T>
__device__ T shuffle(unsigned mask, T v, int lane) {
  return __shfl_sync(mask, v, lane);
}
template <class T>
__device__ T shuffle_xor(unsigned mask, T v, int lanes) {
  return __shfl_xor_sync(mask, v, lanes);
}
template <class T>
__device__ T shuffle_up(unsigned mask, T v, int delta) {
  return __shfl_up_sync(mask, v, delta);
}
template <class T>
__device__ T shuffle_down(unsigned mask, T v, int delta) {
  return __shfl_down_sync(mask, v, delta);
}
__device__ inline unsigned ballot(unsigned mask, bool predicate) {
  return __ballot_sync(mask, predicate);
}
__device__ inline unsigned match_any(unsigned mask, unsigned value) {
  return __match_any_sync(mask, value);
}

template <class T>
__device__ T atomic_add(T* p, T v) {
  static_assert(!std::is_floating_point_v<T>, "the order of float atomics is not fixed");
  return atomicAdd(p, v);
}
template <class T>
__device__ T atomic_max(T* p, T v) {
  static_assert(!std::is_floating_point_v<T>, "the order of float atomics is not fixed");
  return atomicMax(p, v);
}
template <class T>
__device__ T atomic_or(T* p, T v) {
  return atomicOr(p, v);
}

__device__ inline uint32_t bits_of(float x) {
  return __float_as_uint(x);
}
__device__ inline float float_of(uint32_t bits) {
  return __uint_as_float(bits);
}
__device__ inline int popcount(unsigned v) {
  return __popc(v);
}
__device__ inline int popcount(uint64_t v) {
  return __popcll(v);
}

// One launch. name is what errors and profiles say; a shared size over 48 KiB is asked for here.
struct Launch {
  const char* name;
  dim3 grid, block;
  size_t shared_bytes = 0;
};

template <class... P, class... A>
void launch(const Launch& at, void (*kernel)(P...), A&&... args) {
  std::tuple<P...> values(std::forward<A>(args)...);
  std::apply(
      [&](P&... p) {
        void* pointers[] = {&p..., nullptr};
        launch_kernel(at.name, reinterpret_cast<const void*>(kernel), at.grid, at.block, pointers,
                      at.shared_bytes);
      },
      values);
}

}  // namespace eb::kernels::cuda
