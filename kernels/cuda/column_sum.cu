// Sums of the columns of a row-major matrix (a bias's gradient): slices of rows, then the slices in order.
#include "kernels/cuda/column_sum.h"

#include "kernels/cuda/coded.cuh"

namespace eb::kernels::cuda {

namespace {

constexpr int columns_per_block = 32, row_threads = 8;
constexpr int64_t rows_per_slice = 1024;  // of the grid's first dimension: the others end at 65,535

template <class T>
__device__ float value_at(const T* x, int64_t i) {
  return static_cast<float>(x[i]);
}
__device__ float value_at(const CodePointer& x, int64_t i) {
  const CodePointer at = x + i;
  return static_cast<float>(*at.code()) * at.scale();
}

template <class X>
__global__ void column_slices_kernel(int64_t rows, int64_t columns, X x, float* partial) {
  using Sums = Vec<float, columns_per_block>;
  auto& sums = shared<Vec<Sums, row_threads>>();
  const int lane_id = threadIdx.x % columns_per_block, row_thread = threadIdx.x / columns_per_block;
  const int64_t column = int64_t{blockIdx.y} * columns_per_block + lane_id;
  const int64_t first = int64_t{blockIdx.x} * rows_per_slice;
  const int64_t end = first + rows_per_slice < rows ? first + rows_per_slice : rows;
  float sum = 0;
  if (column < columns)
    for (int64_t r = first + row_thread; r < end; r += row_threads) sum += value_at(x, r * columns + column);
  sums[row_thread][lane_id] = sum;
  sync_threads();
  if (row_thread != 0 || column >= columns) return;
  for (int i = 1; i < row_threads; ++i) sum += sums[i][lane_id];
  partial[blockIdx.x * columns + column] = sum;
}

__global__ void column_total_kernel(int64_t slices, int64_t columns, const float* partial, float* sums) {
  const int64_t column = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (column >= columns) return;
  float sum = 0;
  for (int64_t s = 0; s < slices; ++s) sum += partial[s * columns + column];
  sums[column] = sum;
}

template <class X>
void sum_columns(int64_t rows, int64_t columns, X x, float* sums, float* partial) {
  const int64_t slices = ceil_div(rows, rows_per_slice);
  launch({"column_slices",
          dim3(static_cast<unsigned>(slices), static_cast<unsigned>(ceil_div(columns, columns_per_block))),
          dim3(columns_per_block * row_threads), sizeof(Vec<Vec<float, columns_per_block>, row_threads>)},
         column_slices_kernel<X>, rows, columns, x, partial);
  launch({"column_total", dim3(static_cast<unsigned>(ceil_div(columns, 256))), dim3(256)},
         column_total_kernel, slices, columns, partial, sums);
}

}  // namespace

size_t column_sum_workspace(int64_t rows, int64_t columns) {
  return static_cast<size_t>(ceil_div(rows, rows_per_slice) * columns) * sizeof(float);
}

void column_sum(DType dtype, int64_t rows, int64_t columns, const void* x, float* sums, void* partial) {
  by_dtype(dtype, [&]<class T>() {
    sum_columns(rows, columns, static_cast<const T*>(x), sums, static_cast<float*>(partial));
  });
}

void column_sum(const Conv2dInt8::Operand& x, int64_t rows, int64_t columns, float* sums, void* partial) {
  sum_columns(rows, columns, CodePointer(x), sums, static_cast<float*>(partial));
}

}  // namespace eb::kernels::cuda
