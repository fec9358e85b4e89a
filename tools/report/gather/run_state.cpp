#include "tools/report/gather/run_state.h"

#include <algorithm>

#include "engine/base/duration.h"
#include "engine/base/error.h"

namespace eb::tools {

using namespace engine;

RunState state_of(const RunFiles& run) {
  return run_state(run.locked, run.status, run.summary.has_value());
}

int64_t epochs_done(const RunFiles& run) {
  int64_t done = 0;
  for (const EpochRecord& e : run.epochs) done = std::max(done, e.epoch);
  const bool is_lost = run.damaged_lines > 0 || run.epochs.empty();
  if (is_lost && run.summary) done = std::max(done, run.summary->epochs.value_or(0));
  return done;
}

// Re-initialised and rewound tickets may have the whole schedule again.
static int64_t draw_restart(const RunFiles& run) {
  return restarts_schedule(run.config) && draw_of(run) ? draw_of(run)->epoch.value_or(0) : 0;
}

Count epochs_planned(const RunFiles& run) {
  const nlohmann::json* text = config_value(run.config, "train.duration");
  if (!text || !text->is_string()) return std::nullopt;
  try {
    const Duration duration = parse_duration(text->get<std::string>());
    const int64_t per_epoch = steps_per_epoch(run), restart = draw_restart(run);
    if (duration.unit == Duration::Unit::epochs) return duration.count + restart;
    if (per_epoch <= 0) return std::nullopt;
    return (duration.count + per_epoch - 1) / per_epoch + restart;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace eb::tools
