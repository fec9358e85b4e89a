// The lines of metrics.jsonl that `report` and `watch` use; what makes one sound is said in
// engine/run/record.h.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/run/metrics.h"
#include "engine/run/record.h"

namespace eb::tools {

struct RunMetrics {
  std::vector<engine::EpochRecord> epochs;   // at the ends of epochs
  std::vector<engine::BatchRecord> batches;  // and within them
  int64_t damaged = 0;                       // lines that are neither
};
RunMetrics sound_lines(const engine::Metrics& metrics);

}  // namespace eb::tools
