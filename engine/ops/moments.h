// Statistics of an activation by runs of its rows, which a convolution may leave for the batch norm behind
// it: kernels::BatchNorm::Moments with their memory.
#pragma once
#include "engine/tensor/tensor.h"

namespace eb::engine {

struct Moments {
  Tensor values;  // (slices, 2, C) f32, undefined where there are none
  int64_t rows_per_slice = 0;
};

}  // namespace eb::engine
