// Config keys of the engine: name, seed, model, train, precision, checkpoint, guard, log.
#pragma once
#include "engine/config/config.h"

namespace eb::engine {

const Table& engine_fields();

}  // namespace eb::engine
