// The bias of convolutions and linear layers: y (rows, k) += b, and db (k) = sum of dy (rows, k) in a fixed
// order.
#pragma once
#include "kernels/dtype.h"

namespace eb::kernels::cpu {

void add_bias(int64_t rows, int64_t k, const float* b, float* y);  // on the calling thread
size_t bias_gradient_workspace(int64_t rows, int64_t k);
void bias_gradient(DType, int64_t rows, int64_t k, const void* dy, float* db, void* workspace);

}  // namespace eb::kernels::cpu
