// Elementwise ops: a thread moves 16 bytes of each operand; the last few elements go one by one.
#include "kernels/elementwise.h"

#include "kernels/cuda/vector.cuh"

namespace eb::kernels::EB_BACKEND {

namespace {

constexpr int threads = 256;

struct Relu {
  __device__ float operator()(float x, float) const { return x < 0.f ? 0.f : x; }
};
struct ReluBackward {  // NaN passes, as in forward
  __device__ float operator()(float y, float dy) const { return y <= 0.f ? 0.f : dy; }
};
struct Add {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Fill {
  float value;
  __device__ float operator()(float, float) const { return value; }
};
struct Scale {
  float factor;
  __device__ float operator()(float x, float) const { return x * factor; }
};

// y = op(a, b); null operands read as 0.
template <class T, class Op>
__global__ void map_kernel(int64_t n, Op op, const T* a, const T* b, T* y) {
  constexpr int N = widest<T>;
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i < n / N) {
    float va[N] = {}, vb[N] = {}, out[N];
    if (a) load_floats(a + i * N, va);
    if (b) load_floats(b + i * N, vb);
#pragma unroll
    for (int j = 0; j < N; ++j) out[j] = op(va[j], vb[j]);
    store_floats(y + i * N, out);
  }
  const int64_t rest = n / N * N + i;
  if (i < n % N)
    y[rest] = T(op(a ? static_cast<float>(a[rest]) : 0.f, b ? static_cast<float>(b[rest]) : 0.f));
}

template <class Op>
void map(const char* name, const Elementwise::Params& p, Op op, const void* a, const void* b, void* y) {
  if (p.n == 0) return;
  by_dtype(p.dtype, [&]<class T>() {
    launch({name, blocks_for(ceil_div(p.n, widest<T>) + widest<T>, threads), threads}, map_kernel<T, Op>, p.n,
           op, static_cast<const T*>(a), static_cast<const T*>(b), static_cast<T*>(y));
  });
}

void relu_forward(const Elementwise::Params& p, const void* x, void* y) {
  map("relu_forward", p, Relu{}, x, nullptr, y);
}
void relu_backward(const Elementwise::Params& p, const void* y, const void* dy, void* dx) {
  map("relu_backward", p, ReluBackward{}, y, dy, dx);
}
void add(const Elementwise::Params& p, const void* a, const void* b, void* y) {
  map("add", p, Add{}, a, b, y);
}
void fill(const Elementwise::Params& p, float value, void* y) {
  map("fill", p, Fill{value}, nullptr, nullptr, y);
}
void scale(const Elementwise::Params& p, float factor, void* y) {
  map("scale", p, Scale{factor}, y, nullptr, y);
}

template <class From, class To>
__global__ void cast_kernel(int64_t n, const From* x, To* y) {
  constexpr int N = 4;
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i < n / N) {
    float v[N];
    load_floats(x + i * N, v);
    store_floats(y + i * N, v);
  }
  const int64_t rest = n / N * N + i;
  if (i < n % N) y[rest] = To(static_cast<float>(x[rest]));
}

void cast(int64_t n, DType from, const void* x, DType to, void* y) {
  if (n == 0) return;
  by_dtype(from, [&]<class From>() {
    by_dtype(to, [&]<class To>() {
      launch({"cast", blocks_for(ceil_div(n, 4) + 4, threads), threads}, cast_kernel<From, To>, n,
             static_cast<const From*>(x), static_cast<To*>(y));
    });
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

extern const Elementwise elementwise;
const Elementwise elementwise{relu_forward,   relu_backward,  add, fill, scale, cast,
                              select_forward, select_backward};

}  // namespace eb::kernels::EB_BACKEND
