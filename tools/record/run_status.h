// What `report` and `watch` say alike of a run directory: whether it is one, and whether its run goes on.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "engine/base/enum_names.h"
#include "engine/run/record.h"

namespace eb::tools {

// Error 4070 if `path` holds nothing that a training leaves from its first moment on.
void check_is_run(const std::filesystem::path& path);

// A process holds the run's lock. To be asked before status.json is read: what a run that has let go wrote
// there is its last word.
bool is_locked(const std::filesystem::path& run);

struct RunState {
  // stopped: by a signal, or at a number of steps; the same command goes on.
  enum class Name : uint8_t { finished, running, stopped, failed, unknown };
  Name name = Name::unknown;
  engine::Count exit_code;
  std::string warning;  // empty if there is nothing to say
  std::string error;    // what a failed run failed with, if it says so
};
constexpr auto enum_names(RunState::Name) {
  return engine::names("finished", "running", "stopped", "failed", "unknown");
}
// The lock decides whether the run goes on, unless its holder is this process and has written its exit code;
// status.json, if there is one, only says how it ended. has_summary: a summary.json could be read.
RunState run_state(bool locked, const std::optional<engine::RunStatus>& status, bool has_summary);

}  // namespace eb::tools
