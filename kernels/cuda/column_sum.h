#pragma once
#include "kernels/conv2d_int8.h"
#include "kernels/dtype.h"

namespace eb::kernels::cuda {

// sums (columns) of x (rows, columns) in a fixed order; partial: column_sum_workspace bytes.
size_t column_sum_workspace(int64_t rows, int64_t columns);
void column_sum(DType dtype, int64_t rows, int64_t columns, const void* x, float* sums, void* partial);
void column_sum(const Conv2dInt8::Operand& x, int64_t rows, int64_t columns, float* sums, void* partial);

}  // namespace eb::kernels::cuda
