// The emulated side of platform.cuh: the names of device.cuh over fibers (block.h). Only kernel sources built
// for the emulated device include this.
#pragma once
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <source_location>
#include <tuple>
#include <type_traits>

#include "kernels/emulated/block.h"
#include "kernels/emulated/grid.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define threadIdx (::eb::kernels::emulated::lane().thread)
#define blockIdx (::eb::kernels::emulated::block().index())
#define blockDim (::eb::kernels::emulated::block().threads())
#define gridDim (::eb::kernels::emulated::block().grid())

namespace eb::kernels::cuda {

using namespace emulated;

template <class T>
T& shared(Where where = Where::current()) {
  return *static_cast<T*>(block().shared_memory(sizeof(T), where));
}

inline void sync_threads(Where where = Where::current()) {
  block().barrier(0, block().thread_count(), where);
}
inline void named_barrier(int id, int count, Where where = Where::current()) {
  block().barrier(id, count, where);
}
inline void sync_warp(unsigned mask, Where where = Where::current()) {
  char none = 0;
  block().collective(
      "sync_warp", mask, none, [](char**) {}, where);
}
inline void thread_fence() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

inline constexpr unsigned full_warp_mask = 0xffffffffu;

namespace detail {
// Every lane of the mask gets the value of the lane source(i) of its warp; a source outside the mask is an
// error, as its value is undefined on a GPU.
template <class T, class F>
T exchange(const char* name, unsigned mask, T v, F source, Where where) {
  struct Operand {
    T in, out;
  } operand{v, v};
  block().collective(
      name, mask, operand,
      [&](Operand** lanes) {
        for (int i = 0; i < 32; ++i) {
          if (!lanes[i]) continue;
          const int from = source(i);
          if (from < 0 || from >= 32) continue;  // out of the warp: the lane keeps its own value
          if (!lanes[from]) block().fail("reads a lane outside the mask", name, where);
          lanes[i]->out = lanes[from]->in;
        }
      },
      where);
  return operand.out;
}
}  // namespace detail

template <class T>
T shuffle(unsigned mask, T v, int from, Where where = Where::current()) {
  struct Operand {
    T in, out;
    int from;
  } operand{v, v, from & 31};
  block().collective(
      "shuffle", mask, operand,
      [&](Operand** lanes) {
        for (int i = 0; i < 32; ++i) {
          if (!lanes[i]) continue;
          if (!lanes[lanes[i]->from]) block().fail("reads a lane outside the mask", "shuffle", where);
          lanes[i]->out = lanes[lanes[i]->from]->in;
        }
      },
      where);
  return operand.out;
}
template <class T>
T shuffle_xor(unsigned mask, T v, int lanes, Where where = Where::current()) {
  return detail::exchange(
      "shuffle_xor", mask, v, [=](int i) { return i ^ lanes; }, where);
}
template <class T>
T shuffle_up(unsigned mask, T v, int delta, Where where = Where::current()) {
  return detail::exchange(
      "shuffle_up", mask, v, [=](int i) { return i - delta; }, where);
}
template <class T>
T shuffle_down(unsigned mask, T v, int delta, Where where = Where::current()) {
  return detail::exchange(
      "shuffle_down", mask, v, [=](int i) { return i + delta; }, where);
}

inline unsigned ballot(unsigned mask, bool predicate, Where where = Where::current()) {
  struct Operand {
    bool in;
    unsigned out;
  } operand{predicate, 0};
  block().collective(
      "ballot", mask, operand,
      [](Operand** lanes) {
        unsigned votes = 0;
        for (int i = 0; i < 32; ++i)
          if (lanes[i] && lanes[i]->in) votes |= 1u << i;
        for (int i = 0; i < 32; ++i)
          if (lanes[i]) lanes[i]->out = votes;
      },
      where);
  return operand.out;
}
inline unsigned match_any(unsigned mask, unsigned value, Where where = Where::current()) {
  struct Operand {
    unsigned in, out;
  } operand{value, 0};
  block().collective(
      "match_any", mask, operand,
      [](Operand** lanes) {
        for (int i = 0; i < 32; ++i)
          for (int j = 0; j < 32; ++j)
            if (lanes[i] && lanes[j] && lanes[i]->in == lanes[j]->in) lanes[i]->out |= 1u << j;
      },
      where);
  return operand.out;
}

template <class T>
T atomic_add(T* p, T v) {
  static_assert(!std::is_floating_point_v<T>, "the order of float atomics is not fixed");
  return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);
}
template <class T>
T atomic_or(T* p, T v) {
  return __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST);
}
template <class T>
T atomic_max(T* p, T v) {
  static_assert(!std::is_floating_point_v<T>, "the order of float atomics is not fixed");
  T seen = __atomic_load_n(p, __ATOMIC_SEQ_CST);
  while (seen < v && !__atomic_compare_exchange_n(p, &seen, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
  }
  return seen;
}

inline uint32_t bits_of(float x) {
  return std::bit_cast<uint32_t>(x);
}
inline float float_of(uint32_t bits) {
  return std::bit_cast<float>(bits);
}
inline int popcount(unsigned v) {
  return __builtin_popcount(v);
}
inline int popcount(uint64_t v) {
  return __builtin_popcountll(v);
}

using dim3 = Index3;

struct Launch {
  const char* name;
  dim3 grid, block;
  size_t shared_bytes = 0;
};

template <class... P, class... A>
void launch(const Launch& at, void (*kernel)(P...), A&&... args) {
  const std::tuple<P...> values(std::forward<A>(args)...);
  submit(at.name, at.grid, at.block, at.shared_bytes, [kernel, values] { std::apply(kernel, values); });
}

}  // namespace eb::kernels::cuda
