// What `report` and `watch` say alike of a run directory: whether it is one, and whether its run goes on.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "engine/run/record.h"

namespace eb::tools {

// Error 4070 if `path` holds nothing that a training leaves from its first moment on.
void check_is_run(const std::filesystem::path& path);

// A process holds the run's lock. To be asked before status.json is read: what a run that has let go wrote
// there is its last word.
bool is_locked(const std::filesystem::path& run);

struct RunState {
  std::string name;  // "finished", "running", "stopped", "failed", "unknown"
  engine::Count exit_code;
  std::string warning;  // empty if there is nothing to say
};
// The lock decides whether the run goes on, unless its holder is this process and has written its exit code;
// status.json, if there is one, only says how it ended. has_summary: a summary.json could be read.
RunState run_state(bool locked, const std::optional<engine::RunStatus>& status, bool has_summary);

}  // namespace eb::tools
