#include "tools/report/gather/run_state.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/duration.h"
#include "engine/base/error.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;

RunState state_of(const RunFiles& run) {
  return run_state(run.locked, run.status, !run.summary.is_null());
}

int64_t epochs_done(const RunFiles& run) {
  int64_t done = 0;
  for (const json& line : run.epochs) done = std::max(done, line["epoch"].get<int64_t>());
  const bool is_lost = run.damaged_lines > 0 || run.epochs.empty();
  if (const json& epochs = at(run.summary, {"epochs"}); is_lost && epochs.is_number_integer())
    done = std::max(done, epochs.get<int64_t>());
  return done;
}

// Re-initialised and rewound tickets may have the whole schedule again.
static json draw_restart(const RunFiles& run) {
  const bool restarts = at(run.config, {"early_bird", "after", "schedule"}) == "restart";
  const json epoch = number_at(draw_of(run), {"epoch"});
  return restarts && epoch.is_number_integer() ? epoch : json(0);
}

json epochs_planned(const RunFiles& run) {
  const json text = string_at(run.config, {"train", "duration"});
  if (!text.is_string()) return nullptr;
  try {
    const Duration duration = parse_duration(text.get<std::string>());
    const int64_t per_epoch = steps_per_epoch(run), restart = draw_restart(run).get<int64_t>();
    if (duration.unit == Duration::Unit::epochs) return duration.count + restart;
    if (per_epoch <= 0) return nullptr;
    return (duration.count + per_epoch - 1) / per_epoch + restart;
  } catch (const Error&) {
    return nullptr;
  }
}

}  // namespace eb::tools
