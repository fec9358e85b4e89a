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
using nlohmann::json;

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

static json number_in(const json& status, const char* key) {
  if (!status.is_object()) return nullptr;
  const auto found = status.find(key);
  return found != status.end() && found->is_number() ? *found : json();
}

RunState run_state(bool locked, const json& status, bool has_summary) {
  const json exit_code = number_in(status, "exit_code");
  const bool own = number_in(status, "pid") == ::getpid() && !exit_code.is_null();
  if (!own && locked) return {"running", nullptr, ""};
  if (exit_code == 0) return {"finished", exit_code, ""};
  if (exit_code == 75) return {"stopped", exit_code, "the run was stopped; the same command goes on"};
  if (!exit_code.is_null()) return {"failed", exit_code, "the run failed"};
  if (status.is_null())
    return has_summary ? RunState{"finished", nullptr, ""}
                       : RunState{"unknown", nullptr, "the run does not say how far it came"};
  return {"failed", nullptr,
          "the process ended without an exit code: it was killed, or the machine went down; the same command "
          "goes on from the last checkpoint"};
}

}  // namespace eb::tools
