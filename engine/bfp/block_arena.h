// A model's arenas in block floating point: which numbers of values, gradients and momentum share an
// exponent, and the codes that int8 convolutions read.
#pragma once
#include <optional>

#include "engine/bfp/precision.h"
#include "engine/graph/parameter.h"
#include "kernels/round_blocks.h"

namespace eb::engine {

// One arena's blocks, and the exponents they had when it was last rounded.
class BlockArena {
 public:
  // weight, bias: who rounds a weight and a vector of this arena.
  BlockArena(const Arenas& arenas, const BlockFormat& format, RoundedTensor weight, RoundedTensor bias);
  // x -> y and codes; segments, exponents and workspace are the arena's own.
  void round(Quantize::Rounding rounding, uint64_t seed, kernels::RoundBlocks::Arrays arrays) const;
  int64_t block_of(size_t parameter) const { return segments_[parameter].block; }
  Tensor exponents_of(size_t parameter) const;  // view
  const Tensor& exponents() const { return exponents_; }

 private:
  Device device_;
  int bits_;
  std::vector<kernels::RoundBlocks::Segment> segments_;  // by parameter
  Tensor exponents_;                                     // i16, by segment
};

// What a model in 8 bit holds besides its arenas.
struct BlockModel {
  BlockModel(const Arenas& arenas, const Precision& precision);
  // Rounds the gradients, gated by nothing: a bad step forbids the update itself.
  void round_gradients(const Arenas& arenas, const uint32_t* step) const;
  // Values (with their codes) and momentum after an update that `allow` may have forbidden.
  void round_update(const Arenas& arenas, const int32_t* allow, const uint32_t* step) const;
  // Codes of values that came from elsewhere, to the nearest; exact if the values are on their grid.
  void encode(const Arenas& arenas) const;
  // A weight's codes as a tensor: those of the forward pass, and those that backward-data reads.
  Tensor codes_of(const Arenas& arenas, size_t parameter) const;
  Tensor backward_codes_of(const Arenas& arenas, size_t parameter) const;

  Precision precision;
  BlockArena values, gradients, momentum;
  Tensor codes;                         // (arena) i8
  std::optional<BlockArena> by_tensor;  // the second form of the values, and its codes (arena) i8
  Tensor codes_by_tensor;
  Tensor counts;  // Quantize::Counts: (nodes, 3: output, error, input), then (3: values, gradients, momentum;
                  // parameters)
  Quantize::Counts* node_counts(int node, RoundedTensor what) const;
  Quantize::Counts* parameter_counts(size_t arena) const;  // 0 values, 1 gradients, 2 momentum

 private:
  void round_by_tensor(const Arenas& arenas, const int32_t* allow) const;
  int64_t nodes_, parameters_;
};

}  // namespace eb::engine
