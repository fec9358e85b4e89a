#include "tools/record/run_status.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/run/names.h"

namespace eb::tools {

using namespace engine;

void check_is_run(const fs::path& path) {
  const auto holds = [&](const char* file) {
    std::error_code error;
    return fs::exists(path / file, error);
  };
  const char* const files[] = {file_names::lock, file_names::config, file_names::metrics};
  if (std::none_of(std::begin(files), std::end(files), holds))
    throw Error(errors::not_a_run, quote_path(path) + " is not a run directory",
                "name the directory that a training wrote: it holds config.resolved.json and metrics.jsonl");
}

// A lock that is free is held for an instant by this look, so nobody looks again once the run is over.
bool is_locked(const fs::path& run) {
  try {
    const File lock(run / file_names::lock, O_RDONLY);
    return ::flock(lock.descriptor(), LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK;
  } catch (const Error&) {
    return false;
  }
}

RunState run_state(bool locked, const std::optional<RunStatus>& status, bool has_summary) {
  using Name = RunState::Name;
  const Count exit_code = status ? status->exit_code : std::nullopt;
  const bool own = exit_code && status->pid == ::getpid();
  if (!own && locked) return {Name::running, {}, ""};
  if (exit_code == 0) return {Name::finished, exit_code, ""};
  if (exit_code == 75) return {Name::stopped, exit_code, "the run was stopped; the same command goes on"};
  if (exit_code) {
    const std::string error = status->error.value_or("");
    return {Name::failed, exit_code, "the run failed" + (error.empty() ? "" : ": " + error), error};
  }
  if (!status)
    return has_summary ? RunState{Name::finished, {}, ""}
                       : RunState{Name::unknown, {}, "the run does not say how far it came"};
  return {Name::failed,
          {},
          "the process ended without an exit code: it was killed, or the machine went down; the same command "
          "goes on from the last checkpoint"};
}

}  // namespace eb::tools
