// Sums in double: a fixed number of partials, each thread's elements, the block's threads and the partials
// added in an order that depends on n alone.
#include "kernels/reduce.h"

#include "kernels/cuda/block_sum.cuh"
#include "kernels/cuda/vector.cuh"

namespace eb::kernels::EB_BACKEND {

namespace {

constexpr int threads = 256;
constexpr int64_t most_partials = 528, least_elements = 4096;  // four blocks for every SM of an H200

int64_t partials_of(int64_t n) {
  const int64_t wanted = ceil_div(n, least_elements);
  return wanted < 1 ? 1 : wanted > most_partials ? most_partials : wanted;
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

template <class Op>
__global__ void partials_kernel(int64_t n, Op op, const float* x, typename Op::Result* partial) {
  using Result = typename Op::Result;
  Result sum = 0;
  const int64_t stride = int64_t{gridDim.x} * threads;
  for (int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x; i < n; i += stride) sum += op(x[i]);
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
void reduce_by(const char* name, int64_t n, const float* x, Out* out) {
  using Result = typename Op::Result;
  const int64_t partials = partials_of(n);
  auto* partial = static_cast<Result*>(scratch(static_cast<size_t>(partials) * sizeof(Result)));
  constexpr size_t bytes = sizeof(BlockSum<Result, threads>);
  launch({name, static_cast<unsigned>(partials), threads, bytes}, partials_kernel<Op>, n, Op{}, x, partial);
  launch({name, 1, threads, bytes}, total_kernel<Result, Out, is_zero>, partials,
         static_cast<const Result*>(partial), out);
}

void sum(int64_t n, const float* x, double* result) {
  reduce_by<Sum, double, false>("sum", n, x, result);
}
void sum_of_squares(int64_t n, const float* x, double* result) {
  reduce_by<SumOfSquares, double, false>("sum_of_squares", n, x, result);
}
void all_finite(int64_t n, const float* x, int32_t* flag) {
  reduce_by<CountBad, int32_t, true>("all_finite", n, x, flag);
}

}  // namespace

extern const Reduce reduce;
const Reduce reduce{sum, sum_of_squares, all_finite};

}  // namespace eb::kernels::EB_BACKEND
