#include "kernels/round_blocks.h"

#include "kernels/cpu/quantize.h"

namespace eb::kernels::cpu {
namespace {

void round_all(const RoundBlocks::Params& p, const RoundBlocks::Segment* segments, int64_t n_segments,
               const int32_t* allow, const uint32_t* step, const float* x, float* y, int8_t* codes,
               int16_t* exponents, Quantize::Counts* counts) {
  if (allow && *allow == 0) return;
  const Rounding how{p.bits, p.rounding == Quantize::Rounding::stochastic, p.seed, step ? *step : 0};
  round_segments<float>(how, segments, n_segments, {x, y, codes, exponents, counts, nullptr});
}

}  // namespace

const RoundBlocks round_blocks = {.round = round_all};

}  // namespace eb::kernels::cpu
