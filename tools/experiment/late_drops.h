// What a configuration says that will not come to pass: legal, and hardly meant.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "engine/config/config.h"

namespace eb::tools {

// A warning that names the drops of the learning rate which the run ends before; empty if there are none.
// Epochs against steps can be compared only where the data are known: steps_per_epoch.
std::string late_drops(const engine::Config& config, std::optional<int64_t> steps_per_epoch = {});

}  // namespace eb::tools
