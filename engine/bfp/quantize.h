// Tensors to block floating point; dense() of engine/tensor/dense.h is the way back. The gradient passes
// straight through: both keep the tape node.
#pragma once
#include "engine/bfp/precision.h"
#include "engine/tensor/dense.h"

namespace eb::engine {

// One use of the quantiser.
struct Rounding {
  Quantize::Rounding kind = Quantize::Rounding::nearest;
  uint64_t seed = 0;
  uint32_t tensor = 0;                 // rounding_id
  const uint32_t* step = nullptr;      // on the device; null: 0
  Quantize::Counts* counts = nullptr;  // on the device; null: not counted
  int64_t first_sample = 0;  // x's first one's place in the batch: stochastic rounding is the batch's
};

// largest (blocks) as in kernels::Quantize, undefined where nobody has it.
Tensor quantize(const Tensor& x, const BlockFormat& format, const Rounding& rounding,
                const Tensor& largest = {});

}  // namespace eb::engine
