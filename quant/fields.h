// The section `precision` of the config, but for precision.mode: which tensors are stored in 8 bit, how, and
// in which phases of the run.
#pragma once
#include "engine/bfp/precision.h"
#include "engine/config/config.h"

namespace eb::quant {

const engine::Table& precision_fields();
engine::PhasePrecision phase_precision(const engine::Config& config);

}  // namespace eb::quant
