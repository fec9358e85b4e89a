// cuBLAS behind the linear contract: the yardstick of `bench kernels`.
#pragma once
#include "kernels/linear.h"

namespace eb::kernels::cuda {

// A bias is added to y as it is stored, by a kernel of ours, as the plain library has none.
extern const Linear cublas_linear;

}  // namespace eb::kernels::cuda
