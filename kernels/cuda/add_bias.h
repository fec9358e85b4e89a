#pragma once
#include "kernels/dtype.h"

namespace eb::kernels::cuda {

// y (rows, columns) += b (columns), f32, which is not rounded before it is added. For
// vendors' kernels that have no bias of their own.
void add_bias(DType dtype, int64_t rows, int64_t columns, const float* b, void* y);

}  // namespace eb::kernels::cuda
