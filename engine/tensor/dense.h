// The numbers that a tensor stands for, whether it holds them or codes in block floating point.
#pragma once
#include "engine/tensor/tensor.h"

namespace eb::engine {

DType dense_dtype(const Tensor& x);  // of the numbers x stands for
// x itself if it is not in block floating point, else its numbers. Keeps the tape node: gradients pass
// straight through.
Tensor dense(const Tensor& x);

}  // namespace eb::engine
