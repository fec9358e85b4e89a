#include "tools/record/run_metrics.h"

#include <nlohmann/json.hpp>

namespace eb::tools {

RunMetrics sound_lines(const engine::Metrics& metrics) {
  RunMetrics sound{{}, {}, metrics.damaged};
  for (const nlohmann::json& line : metrics.lines) {
    if (auto epoch = engine::epoch_from_json(line))
      sound.epochs.push_back(std::move(*epoch));
    else if (const auto batch = engine::batch_from_json(line))
      sound.batches.push_back(*batch);
    else
      ++sound.damaged;
  }
  return sound;
}

}  // namespace eb::tools
