// Sums in double, one partial per fixed chunk, added in order.
#include "kernels/reduce.h"

#include "kernels/cpu/no_workspace.h"
#include "kernels/cpu/parallel.h"

namespace eb::kernels::cpu {
namespace {

// f(begin, end) of every chunk, in order of the chunks.
template <class F>
auto per_chunk(int64_t n, F&& f) {
  std::vector<decltype(f(n, n))> parts(ceil_div(n, chunk_elements));
  parallel_ranges(n, 1, [&](int64_t begin, int64_t end) { parts[begin / chunk_elements] = f(begin, end); });
  return parts;
}

template <bool squared>
double sum_range(const float* x, int64_t begin, int64_t end) {
  double s = 0;
#pragma omp simd reduction(+ : s)
  for (int64_t i = begin; i < end; ++i) s += squared ? double(x[i]) * double(x[i]) : double(x[i]);
  return s;
}

template <bool squared>
void sum(int64_t n, const float* x, double* result, void*) {
  double total = 0;
  for (double part :
       per_chunk(n, [x](int64_t begin, int64_t end) { return sum_range<squared>(x, begin, end); }))
    total += part;
  *result = total;
}

void all_finite(int64_t n, const float* x, int32_t* flag, void*) {
  constexpr uint32_t exponent = 0x7f800000u;
  const auto parts = per_chunk(n, [x](int64_t begin, int64_t end) {
    int32_t bad = 0;
    for (int64_t i = begin; i < end; ++i) bad |= (std::bit_cast<uint32_t>(x[i]) & exponent) == exponent;
    return bad;
  });
  *flag = std::all_of(parts.begin(), parts.end(), [](int32_t bad) { return bad == 0; });
}

}  // namespace

const Reduce reduce = {.workspace_bytes = no_workspace,
                       .sum = sum<false>,
                       .sum_of_squares = sum<true>,
                       .all_finite = all_finite};

}  // namespace eb::kernels::cpu
