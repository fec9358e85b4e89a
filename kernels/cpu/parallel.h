// Loops over threads. Work is cut into chunks that depend on the problem only; a reduction that writes one
// partial result per chunk and combines them in order therefore has the same bits for any number of threads.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include "kernels/cpu/threads.h"

namespace eb::kernels::cpu {

// About 10 us of streaming per chunk: large against one hand-over to a thread (< 1 us), small against a
// core's L2.
constexpr int64_t chunk_elements = 32768;

constexpr int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// body(context, i) for i in [0, count), in any order, on up to threads() threads (thread_pool.h). What a body
// throws, of several the lowest i's, comes out of here when all are done. Where another loop has the threads,
// an outer one of several chunks or another caller's, the caller does everything.
void run_chunks(int64_t count, void (*body)(void* context, int64_t i), void* context);

// f(i) for i in [0, count), as run_chunks does them. Who is free takes the next: another program may hold one
// of the cores.
template <class F>
void parallel_for(int64_t count, F&& f) {
  using Plain = std::remove_reference_t<F>;
  const auto body = [](void* context, int64_t i) { (*static_cast<Plain*>(context))(i); };
  run_chunks(count, body, const_cast<std::remove_const_t<Plain>*>(std::addressof(f)));
}

// f(begin, end) over [0, n), where one index costs about `cost` streamed elements.
template <class F>
void parallel_ranges(int64_t n, int64_t cost, F&& f) {
  const int64_t grain = std::max<int64_t>(1, chunk_elements / std::max<int64_t>(1, cost));
  parallel_for(ceil_div(n, grain), [&](int64_t i) { f(i * grain, std::min(n, (i + 1) * grain)); });
}

}  // namespace eb::kernels::cpu
