// Sums in double: a fixed number of partials, each thread's elements, the block's threads and the partials
// added in an order that depends on n and the card's limits alone (on how x lies in memory only the width of
// the loads depends).
#include "kernels/reduce.h"

#include <algorithm>

#include "kernels/cuda/block_sum.cuh"
#include "kernels/cuda/policy/device_limits.h"
#include "kernels/cuda/vector.cuh"

namespace eb::kernels::cuda {

namespace {

constexpr int threads = 256;
constexpr int per_run = 4, most_runs = 4;                    // 64 bytes a thread under way; to be measured
constexpr int64_t most_partials = 4, least_elements = 4096;  // for every SM; of a partial

int64_t partials_of(int64_t n, const DeviceLimits& limits) {
  return std::clamp(ceil_div(n, least_elements), int64_t{1}, most_partials * limits.processors);
}

struct Sum {
  using Result = double;
  __device__ double operator()(float x) const { return x; }
};
struct SumOfSquares {
  using Result = double;
  __device__ double operator()(float x) const { return static_cast<double>(x) * static_cast<double>(x); }
};
struct CountBad {  // NaN and infinity
  using Result = int;
  __device__ int operator()(float x) const { return (bits_of(x) & 0x7f800000u) == 0x7f800000u; }
};

// R runs of four, `stride` runs apart, added to sum in order; one access each where x is aligned to 16 bytes.
template <int R, bool aligned, class Op>
__device__ void add_runs(Op op, const float* x, int64_t stride, typename Op::Result& sum) {
  Run<float, per_run> v[R];
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const float* from = x + r * stride * per_run;
    if constexpr (aligned)
      v[r].load(from);
    else
#pragma unroll
      for (int i = 0; i < per_run; ++i) v[r].words[i] = bits_of(from[i]);
  }
#pragma unroll
  for (int r = 0; r < R; ++r)
#pragma unroll
    for (int i = 0; i < per_run; ++i) sum += op(v[r][i]);
}

template <class Op, bool aligned>
__global__ void partials_kernel(int64_t n, Op op, const float* x, typename Op::Result* partial) {
  using Result = typename Op::Result;
  Result sum = 0;
  const int64_t runs = n / per_run, stride = int64_t{gridDim.x} * threads,
                first = int64_t{blockIdx.x} * threads + threadIdx.x;
  int64_t i = first;
  for (; i + (most_runs - 1) * stride < runs; i += most_runs * stride)
    add_runs<most_runs, aligned>(op, x + i * per_run, stride, sum);
#pragma unroll 1
  for (; i < runs; i += stride) add_runs<1, aligned>(op, x + i * per_run, stride, sum);
  if (runs * per_run + first < n) sum += op(x[runs * per_run + first]);
  sum = block_sum<threads>(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

template <class Result, class Out, bool is_zero>
__global__ void total_kernel(int64_t n, const Result* partial, Out* out) {
  Result sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += threads) sum += partial[i];
  sum = block_sum<threads>(sum);
  if (threadIdx.x == 0) *out = is_zero ? Out(sum == 0) : Out(sum);
}

template <class Op, class Out, bool is_zero>
void reduce_by(const char* name, int64_t n, const float* x, Out* out, void* workspace) {
  using Result = typename Op::Result;
  const int64_t partials = partials_of(n, device_limits());
  auto* partial = static_cast<Result*>(workspace);
  constexpr size_t bytes = sizeof(BlockSum<Result, threads>);
  const auto run = [&]<bool aligned>() {
    launch({name, static_cast<unsigned>(partials), threads, bytes}, partials_kernel<Op, aligned>, n, Op{}, x,
           partial);
  };
  const bool aligned = reinterpret_cast<uintptr_t>(x) % (per_run * sizeof(float)) == 0;
  aligned ? run.template operator()<true>() : run.template operator()<false>();
  launch({name, 1, threads, bytes}, total_kernel<Result, Out, is_zero>, partials,
         static_cast<const Result*>(partial), out);
}

size_t workspace_bytes(int64_t n) {
  return static_cast<size_t>(partials_of(n, device_limits())) * sizeof(double);
}
void sum(int64_t n, const float* x, double* result, void* workspace) {
  reduce_by<Sum, double, false>("sum", n, x, result, workspace);
}
void sum_of_squares(int64_t n, const float* x, double* result, void* workspace) {
  reduce_by<SumOfSquares, double, false>("sum_of_squares", n, x, result, workspace);
}
void all_finite(int64_t n, const float* x, int32_t* flag, void* workspace) {
  reduce_by<CountBad, int32_t, true>("all_finite", n, x, flag, workspace);
}

}  // namespace

const Reduce reduce{.workspace_bytes = workspace_bytes,
                    .sum = sum,
                    .sum_of_squares = sum_of_squares,
                    .all_finite = all_finite};

}  // namespace eb::kernels::cuda
