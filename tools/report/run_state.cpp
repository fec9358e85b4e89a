#include "tools/report/run_state.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/duration.h"
#include "engine/error.h"
#include "engine/file.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;

static bool is_locked(const fs::path& run) {
  try {
    const File lock(run / "run.lock", O_RDONLY);
    return ::flock(lock.descriptor(), LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK;
  } catch (const Error&) {
    return false;
  }
}

RunState state_of(const RunFiles& run) {
  const json exit_code = number_at(run.status, {"exit_code"});
  const bool own = number_at(run.status, {"pid"}) == ::getpid() && !exit_code.is_null();
  if (!own && is_locked(run.path)) return {"running", nullptr, ""};
  if (exit_code == 0) return {"finished", exit_code, ""};
  if (exit_code == 75) return {"stopped", exit_code, "the run was stopped; the same command goes on"};
  if (!exit_code.is_null()) return {"failed", exit_code, "the run failed"};
  if (run.status.is_null())
    return run.summary.is_null() ? RunState{"unknown", nullptr, "the run does not say how far it came"}
                                 : RunState{"finished", nullptr, ""};
  return {"failed", nullptr,
          "the process ended without an exit code: it was killed, or the machine went down; the same command "
          "goes on from the last checkpoint"};
}

int64_t epochs_done(const RunFiles& run) {
  int64_t done = 0;
  for (const json& line : run.epochs) done = std::max(done, line["epoch"].get<int64_t>());
  if (const json& epochs = at(run.summary, {"epochs"}); run.damaged_lines > 0 && epochs.is_number_integer())
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
