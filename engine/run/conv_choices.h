// Where a checkpoint keeps the convolutions that a run chose: as JSON under "conv_choices" of its metadata.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "engine/checkpoint/checkpoint.h"
#include "engine/ops/conv_choice.h"

namespace eb::engine {

// Nothing if there is no choice, or nothing was measured.
void store_conv_choices(const ConvChoice* choice, Checkpoint& checkpoint);

// An empty object if the checkpoint stores none. Error 4023 if it is no JSON.
nlohmann::json stored_conv_choices(const Checkpoint& checkpoint);

}  // namespace eb::engine
