// A new run from the weights of another one, or of an import.
#pragma once
#include <filesystem>

#include "engine/model/model.h"

namespace eb::tools {

// Weights and batch norm statistics of a checkpoint or run directory; momentum stays as it is. Error 4065 if
// its network is another one.
void load_first_weights(engine::Model& model, const std::filesystem::path& checkpoint_or_run);

}  // namespace eb::tools
