// Rounds the tensors of an arena (weights, gradients or momentum of the whole model) to block floating point
// in one call, each with its own blocks: what surrounds an update of SWALP (docs/method.md 5.2).
#pragma once
#include "kernels/quantize.h"

namespace eb::kernels {

struct RoundBlocks {
  struct Params {
    int bits = 8;
    Quantize::Rounding rounding = Quantize::Rounding::nearest;
    uint64_t seed = 0;
  };
  struct Segment {  // one tensor: blocks * block elements from offset on
    int64_t offset, blocks, block;
    int64_t first_block;  // of its exponents
    uint32_t tensor;      // names its random numbers (Quantize::Params::tensor)
  };
  // x -> y (both the arena; y may be x, or null if the codes are all that is wanted). codes (arena) may be
  // null; exponents (blocks of all segments) are always written. A bad block is NaN throughout y. segments
  // lie on the host; on the device are allow (1), which forbids everything if it holds 0 (null: always
  // allowed), step (1) as in Quantize, and counts (one for each segment, added to; may be null).
  void (*round)(const Params&, const Segment* segments, int64_t n_segments, const int32_t* allow,
                const uint32_t* step, const float* x, float* y, int8_t* codes, int16_t* exponents,
                Quantize::Counts* counts);
};

namespace cpu {
extern const RoundBlocks round_blocks;
}
namespace cuda {
extern const RoundBlocks round_blocks;
}
inline const RoundBlocks& round_blocks(Device d) {
  return pick<cpu::round_blocks, cuda::round_blocks>(d);
}

}  // namespace eb::kernels
