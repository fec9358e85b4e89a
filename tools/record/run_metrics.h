// The lines of metrics.jsonl that `report` and `watch` use. A line that no training would write may have been
// edited or damaged anywhere: none of its numbers is to be trusted.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/run/metrics.h"

namespace eb::tools {

struct RunMetrics {
  std::vector<nlohmann::json> epochs;   // at the ends of epochs
  std::vector<nlohmann::json> batches;  // and within them
  int64_t damaged = 0;                  // lines that are neither
};
// Of a sound line `epoch` and `step` are integers that a double holds, `phase` is one of a training's, and
// what is drawn is a number, or null where it was not finite. Other keys may be there and hold anything.
RunMetrics sound_lines(engine::Metrics metrics);

}  // namespace eb::tools
