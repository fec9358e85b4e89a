// Every key of an experiment: what the engine, the data, the pruning and the averaging read, and the rules
// between them.
#pragma once
#include "engine/config/config.h"

namespace eb::tools {

const engine::Table& experiment_fields();

}  // namespace eb::tools
