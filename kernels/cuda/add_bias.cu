// y += b in place, the columns of a run of 16 bytes at a time where they divide.
#include "kernels/cuda/add_bias.h"

#include "kernels/cuda/vector.cuh"

namespace eb::kernels::cuda {

namespace {

constexpr int threads = 256;

template <class T, int N>
__global__ void add_bias_kernel(int64_t runs, int64_t columns, const float* b, T* y) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= runs) return;
  const int64_t column = i * N % columns;
  float v[N];
  load_floats<T, N>(y + i * N, v);
#pragma unroll
  for (int j = 0; j < N; ++j) v[j] += b[column + j];
  store_floats(y + i * N, v);
}

template <class T, int N>
void launch_by(int64_t rows, int64_t columns, const float* b, void* y) {
  const int64_t runs = rows * columns / N;
  launch({"add_bias", blocks_for(runs, threads), threads}, add_bias_kernel<T, N>, runs, columns, b,
         static_cast<T*>(y));
}

}  // namespace

void add_bias(DType dtype, int64_t rows, int64_t columns, const float* b, void* y) {
  if (rows * columns == 0) return;
  by_dtype(dtype, [&]<class T>() {
    columns % widest<T> == 0 ? launch_by<T, widest<T>>(rows, columns, b, y)
                             : launch_by<T, 1>(rows, columns, b, y);
  });
}

}  // namespace eb::kernels::cuda
