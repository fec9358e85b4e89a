// How the tensors of a network in 8-bit training are stored (SWALP; docs/method.md 5). The arithmetic between
// them stays that of the compute dtype.
#pragma once
#include "engine/base/phase.h"
#include "engine/tensor/tensor.h"
#include "kernels/quantize.h"

namespace eb::kernels {
constexpr auto enum_names(Quantize::Rounding) {
  return engine::names("nearest", "stochastic");
}
}  // namespace eb::kernels

namespace eb::engine {

using kernels::Quantize;

// Block floating point: how wide a code is, and which numbers share an exponent.
struct BlockFormat {
  enum class Block : uint8_t { tensor, dim0, element };  // dim0: a sample of activations, a filter of weights
  int bits = 8;
  Block block = Block::dim0;
  // Elements under one exponent of a tensor of this shape.
  int64_t block_of(const Shape& shape) const;
};

struct Precision {
  bool quantized = false;  // false: no tensor is, and nothing below matters
  // Outputs of convolutions (and their inputs, if conv_inputs), gradients of these outputs; gradients, values
  // and momentum of all parameters, whose vectors (biases, batch norms) have an exponent for each number.
  BlockFormat activation, error, gradient, weight, momentum;
  // Blocks of the weights that backward-data reads: their own, or rounded once more, to the nearest, with one
  // exponent for all, because a filter's own lies along that sum and keeps it from multiplying int8.
  bool backward_by_tensor = false;
  bool conv_inputs = true;  // false: convolutions read the compute dtype, as in the reference
  bool integer = true;      // int8 products where the blocks allow them, else the exact path everywhere
  Quantize::Rounding rounding = Quantize::Rounding::stochastic;
  Quantize::Rounding eval_rounding = Quantize::Rounding::nearest;
  uint64_t seed = 0;
};

// Who rounds: names the random numbers of a tensor and the place its counts go.
enum class RoundedTensor : uint8_t {
  output,
  error,
  input,
  weight,
  weight_gradient,
  weight_momentum,
  bias,
  bias_gradient,
  bias_momentum,
  count
};
constexpr uint32_t rounding_id(int node, RoundedTensor what) {
  return static_cast<uint32_t>(node) * static_cast<uint32_t>(RoundedTensor::count) +
         static_cast<uint32_t>(what);
}

// The two halves of a run: search (or a dense run) and retraining; each is in 8 bit or not.
struct PhasePrecision {
  Precision format;
  bool search = false, retrain = false;
  Precision in(Phase phase) const {
    return (phase == Phase::retrain ? retrain : search) ? format : Precision{};
  }
};

}  // namespace eb::engine
