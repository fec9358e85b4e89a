#include "kernels/round_blocks.h"

#include "kernels/cpu/no_workspace.h"
#include "kernels/cpu/quantize.h"

namespace eb::kernels::cpu {
namespace {

void round_all(const RoundBlocks::Params& p, const RoundBlocks::Arrays& a) {
  if (a.allow && *a.allow == 0) return;
  const Rounding how{p.bits, p.rounding == Quantize::Rounding::stochastic, p.seed, a.step ? *a.step : 0};
  round_segments<float>(how, a.segments, a.n_segments,
                        {.x = a.x,
                         .y = a.y,
                         .codes = a.codes,
                         .exponents = a.exponents,
                         .counts = a.counts,
                         .largest = nullptr});
}

}  // namespace

const RoundBlocks round_blocks = {.workspace_bytes = no_workspace, .round = round_all};

}  // namespace eb::kernels::cpu
