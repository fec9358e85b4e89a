// Elementwise ops: a thread moves 16 bytes of each operand; the last few elements go one by one.
#include "kernels/elementwise.h"

#include "kernels/cuda/vector.cuh"

namespace eb::kernels::cuda {

namespace {

constexpr int threads = 256;
constexpr int per_thread = 2;  // runs that a thread loads before it uses the first; to be measured

// An operation of so many operands; those that it lacks are 0.
struct Relu {
  static constexpr int operands = 1;
  __device__ float operator()(float x, float) const { return x < 0.f ? 0.f : x; }
};
struct ReluBackward {  // NaN passes, as in forward
  static constexpr int operands = 2;
  __device__ float operator()(float y, float dy) const { return y <= 0.f ? 0.f : dy; }
};
struct Add {
  static constexpr int operands = 2;
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Fill {
  static constexpr int operands = 0;
  float value;
  __device__ float operator()(float, float) const { return value; }
};
struct Scale {
  static constexpr int operands = 1;
  float factor;
  __device__ float operator()(float x, float) const { return x * factor; }
};
struct Copy {
  static constexpr int operands = 1;
  __device__ float operator()(float x, float) const { return x; }
};

// 16 bytes of the wider type, so that both sides stay contiguous over a warp.
template <class From, class To>
constexpr int width = widest<From> < widest<To> ? widest<From> : widest<To>;

// R runs of N elements, `threads` runs apart. y may be a or b.
template <int R, int N, class From, class To, class Op>
__device__ void map_runs(Op op, const From* a, const From* b, To* y) {
  [[maybe_unused]] Run<From, N> va[R], vb[R];
#pragma unroll
  for (int r = 0; r < R; ++r) {
    if constexpr (Op::operands > 0) va[r].load(a + r * threads * N);
    if constexpr (Op::operands > 1) vb[r].load(b + r * threads * N);
  }
#pragma unroll
  for (int r = 0; r < R; ++r) {
    float out[N];
#pragma unroll
    for (int i = 0; i < N; ++i) {
      float first = 0, second = 0;
      if constexpr (Op::operands > 0) first = va[r][i];
      if constexpr (Op::operands > 1) second = vb[r][i];
      out[i] = op(first, second);
    }
    store_floats(y + r * threads * N, out);
  }
}

// y = op(a, b)
template <class From, class To, class Op>
__global__ void map_kernel(int64_t n, Op op, const From* a, const From* b, To* y) {
  constexpr int N = width<From, To>;
  const int64_t runs = n / N, block = int64_t{blockIdx.x} * (threads * per_thread), i = block + threadIdx.x;
  if (block + threads * per_thread <= runs) {
    map_runs<per_thread, N>(op, a + i * N, b + i * N, y + i * N);
  } else {
#pragma unroll 1
    for (int64_t j = i; j < runs; j += threads) map_runs<1, N>(op, a + j * N, b + j * N, y + j * N);
    const int64_t rest = runs * N + threadIdx.x;  // fewer than N, in the last block
    if (rest < n) map_runs<1, 1>(op, a + rest, b + rest, y + rest);
  }
}

template <class From, class To, class Op>
void map(const char* name, int64_t n, Op op, const void* a, const void* b, void* y) {
  if (n == 0) return;
  launch({name, blocks_for(ceil_div(n, width<From, To>), threads * per_thread), threads},
         map_kernel<From, To, Op>, n, op, static_cast<const From*>(a), static_cast<const From*>(b),
         static_cast<To*>(y));
}

template <class Op>
void map(const char* name, const Elementwise::Params& p, Op op, const void* a, const void* b, void* y) {
  by_dtype(p.dtype, [&]<class T>() { map<T, T>(name, p.n, op, a, b, y); });
}

void relu_forward(const Elementwise::Params& p, const void* x, void* y) {
  map("relu_forward", p, Relu{}, x, x, y);
}
void relu_backward(const Elementwise::Params& p, const void* y, const void* dy, void* dx) {
  map("relu_backward", p, ReluBackward{}, y, dy, dx);
}
void add(const Elementwise::Params& p, const void* a, const void* b, void* y) {
  map("add", p, Add{}, a, b, y);
}
void fill(const Elementwise::Params& p, float value, void* y) {
  map("fill", p, Fill{value}, y, y, y);
}
void scale(const Elementwise::Params& p, float factor, void* y) {
  map("scale", p, Scale{factor}, y, y, y);
}
void cast(int64_t n, DType from, const void* x, DType to, void* y) {
  by_dtype(from, [&]<class From>() {
    by_dtype(to, [&]<class To>() { map<From, To>("cast", n, Copy{}, x, x, y); });
  });
}

// Counts of 2^31 and more: what FastDivide does below.
struct LongDivide {
  int64_t divisor;
  __device__ int64_t divide(int64_t n, int64_t& remainder) const {
    remainder = n % divisor;
    return n / divisor;
  }
};

// f(divide by k, an index of n): 32 bits wide where they suffice, since a division in 64 bits takes longer
// than reading and writing the element.
template <class F>
void by_count(int64_t n, int64_t k, F&& f) {
  if (n < int64_t{1} << 31)
    f(FastDivide(k), uint32_t{});
  else
    f(LongDivide{k}, int64_t{});
}

template <class T, class Divide, class Index>
__global__ void select_forward_kernel(int64_t n, int64_t c, Divide by_k, Index, const T* x,
                                      const int32_t* select, T* y) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= n) return;
  Index channel;
  const int64_t row = by_k.divide(static_cast<Index>(i), channel);
  y[i] = x[row * c + select[channel]];
}

void select_forward(DType dtype, int64_t rows, int64_t c, int64_t k, const void* x, const int32_t* select,
                    void* y) {
  if (rows * k == 0) return;
  by_dtype(dtype, [&]<class T>() {
    by_count(rows * k, k, [&]<class Divide, class Index>(Divide by_k, Index index) {
      launch({"select_forward", blocks_for(rows * k, threads), threads},
             select_forward_kernel<T, Divide, Index>, rows * k, c, by_k, index, static_cast<const T*>(x),
             select, static_cast<T*>(y));
    });
  });
}

template <class T, class Divide, class Index>
__global__ void select_backward_kernel(int64_t n, int64_t c, Divide by_k, Index, const T* dy,
                                       const int32_t* select, T* dx) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= n) return;
  Index channel;
  const int64_t row = by_k.divide(static_cast<Index>(i), channel);
  dx[row * c + select[channel]] = dy[i];
}

void select_backward(DType dtype, int64_t rows, int64_t c, int64_t k, const void* dy, const int32_t* select,
                     void* dx) {
  fill({dtype, rows * c}, 0.f, dx);
  if (rows * k == 0) return;
  by_dtype(dtype, [&]<class T>() {
    by_count(rows * k, k, [&]<class Divide, class Index>(Divide by_k, Index index) {
      launch({"select_backward", blocks_for(rows * k, threads), threads},
             select_backward_kernel<T, Divide, Index>, rows * k, c, by_k, index, static_cast<const T*>(dy),
             select, static_cast<T*>(dx));
    });
  });
}

}  // namespace

const Elementwise elementwise{.relu_forward = relu_forward,
                              .relu_backward = relu_backward,
                              .add = add,
                              .fill = fill,
                              .scale = scale,
                              .cast = cast,
                              .select_forward = select_forward,
                              .select_backward = select_backward};

}  // namespace eb::kernels::cuda
