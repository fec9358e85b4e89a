// Emulated twins of kernels/cuda/gemm/hopper.cuh: mbarriers, bulk tensor copies and warpgroup multiplies.
#pragma once
#include "kernels/emulated/ptx.h"
#include "kernels/emulated/warp_multiply.h"

namespace eb::kernels::cuda {

// Of the block's shared memory, from its start: the dynamic part begins at a multiple of 1,024 on a card too.
inline uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(block().shared_offset(p));
}

inline void barrier_init(Mbarrier& b, unsigned arrivals, Where where = Where::current()) {
  block().transfers().init(&b.state, arrivals, where);
}
inline void fence_barrier_init() {}
inline void fence_async() {}
inline void arrive(Mbarrier& b, Where where = Where::current()) {
  block().transfers().arrive(&b.state, 0, where);
}
inline void arrive_expecting(Mbarrier& b, unsigned bytes, Where where = Where::current()) {
  block().transfers().arrive(&b.state, bytes, where);
}
inline void wait(Mbarrier& b, unsigned parity, Where where = Where::current()) {
  block().transfers().wait(&b.state, parity, where);
}

void copy_box(void* to, const TensorMap& map, Mbarrier& b, int x, int y, int z,
              Where where = Where::current());
struct PixelPosition {
  int c, w, h, n;
};
void copy_pixels(void* to, const TensorMap& map, Mbarrier& b, const PixelPosition& at, int offset_h,
                 int offset_w, Where where = Where::current());

namespace detail {
// All lanes of the calling warp, then f(the warp's multiplies) once.
template <class F>
void as_warp(const char* name, F&& f, Where where) {
  char none = 0;
  block().collective(
      name, full_warp_mask, none, [&](char**) { f(block().warp_multiply()); }, where);
}
void wgmma(const Wgmma& what, uint32_t* d, Where where);
}  // namespace detail

inline void wgmma_fence(Where where = Where::current()) {
  detail::as_warp(
      "wgmma fence", [](WarpMultiply& m) { m.fence(); }, where);
}
inline void wgmma_commit(Where where = Where::current()) {
  detail::as_warp(
      "wgmma commit", [](WarpMultiply& m) { m.commit(); }, where);
}
template <int pending>
void wgmma_wait(Where where = Where::current()) {
  detail::as_warp(
      "wgmma wait", [=](WarpMultiply& m) { m.wait(pending, where); }, where);
}
template <class T, int size>
void wgmma_finish(T (&)[size], Where where = Where::current()) {
  wgmma_wait<0>(where);
}
template <bool a_mn_major, bool b_mn_major, int size>
void wgmma(float (&d)[size], uint64_t a, uint64_t b, Where where = Where::current()) {
  detail::wgmma({a, b, 2 * size, a_mn_major, b_mn_major, false}, reinterpret_cast<uint32_t*>(d), where);
}
template <int size>
void wgmma_s8(int32_t (&d)[size], uint64_t a, uint64_t b, Where where = Where::current()) {
  detail::wgmma({a, b, 2 * size, false, false, true}, reinterpret_cast<uint32_t*>(d), where);
}

}  // namespace eb::kernels::cuda
