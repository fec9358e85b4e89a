// cuBLAS behind the linear contract: the yardstick of `bench kernels`.
#pragma once
#include "kernels/linear.h"

namespace eb::kernels::cuda {

// A bias is one more, rank-1 product (bf16: the bias is rounded to it), as the plain library has none.
extern const Linear cublas_linear;

}  // namespace eb::kernels::cuda
