// A stretch of a run with one network, and what it cost. Lies in checkpoints, so that a resumed run adds up.
#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "engine/base/phase.h"

namespace eb::engine {

struct PhaseRecord {
  Phase name = Phase::dense;
  int64_t params = 0, flops_per_image = 0, start_step = 0, steps = 0, samples = 0;
  double train_seconds = 0, eval_seconds = 0, data_wait_seconds = 0;
  double joules = 0;
  bool energy_measured = false;
  int64_t macs_per_image = 0;     // 0: a checkpoint that does not say
  int64_t peak_memory_bytes = 0;  // most that the device's allocator had handed out at once; 0: unknown
  // What else was timed: "forward", "backward" and "optimizer" (on the CPU; a card replays a step as a
  // whole), "early_bird", "checkpoint", and "wall" for everything together. What is not here was not
  // measured.
  std::map<std::string, double> seconds = {};
  bool timed = true;  // false: it began under a version that did not, so `seconds` would be of its end alone
  double images_per_s() const { return train_seconds > 0 ? static_cast<double>(samples) / train_seconds : 0; }
};

nlohmann::json to_json(const PhaseRecord& phase);
// Values that older versions did not write are left as they are; a missing other one throws json::exception,
// a name that no phase has Error 4023.
PhaseRecord phase_from_json(const nlohmann::json& j);

}  // namespace eb::engine
