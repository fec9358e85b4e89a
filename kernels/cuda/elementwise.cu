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

template <class T>
__global__ void select_forward_kernel(int64_t n, int64_t c, int64_t k, const T* x, const int32_t* select,
                                      T* y) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i < n) y[i] = x[i / k * c + select[i % k]];
}

void select_forward(DType dtype, int64_t rows, int64_t c, int64_t k, const void* x, const int32_t* select,
                    void* y) {
  by_dtype(dtype, [&]<class T>() {
    launch({"select_forward", blocks_for(rows * k, threads), threads}, select_forward_kernel<T>, rows * k, c,
           k, static_cast<const T*>(x), select, static_cast<T*>(y));
  });
}

template <class T>
__global__ void select_backward_kernel(int64_t n, int64_t c, int64_t k, const T* dy, const int32_t* select,
                                       T* dx) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i < n) dx[i / k * c + select[i % k]] = dy[i];
}

void select_backward(DType dtype, int64_t rows, int64_t c, int64_t k, const void* dy, const int32_t* select,
                     void* dx) {
  fill({dtype, rows * c}, 0.f, dx);
  by_dtype(dtype, [&]<class T>() {
    launch({"select_backward", blocks_for(rows * k, threads), threads}, select_backward_kernel<T>, rows * k,
           c, k, static_cast<const T*>(dy), select, static_cast<T*>(dx));
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
