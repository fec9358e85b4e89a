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
  struct Arrays {
    const Segment* segments;  // (n_segments) on the host; all others lie on the device
    int64_t n_segments;
    const int32_t* allow = nullptr;      // (1) forbids everything if it holds 0; null: always allowed
    const uint32_t* step = nullptr;      // (1) as in Quantize
    const float* x;                      // (arena)
    float* y = nullptr;                  // (arena) may be x; NaN throughout a bad block
    int8_t* codes = nullptr;             // (arena)
    int16_t* exponents;                  // (blocks of all segments), always written
    Quantize::Counts* counts = nullptr;  // (n_segments), added to
    void* workspace = nullptr;           // (workspace_bytes)
  };
  size_t (*workspace_bytes)(const Segment* segments, int64_t n_segments);
  void (*round)(const Params&, const Arrays&);
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
