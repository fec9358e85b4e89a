// Config keys of stochastic weight averaging.
#pragma once
#include "engine/config/config.h"

namespace eb::quant {

// Its rule reads train.duration: only in a table with the engine's fields.
const engine::Table& swa_fields();

}  // namespace eb::quant
