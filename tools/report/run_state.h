// How far a run came and whether it goes on.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tools/report/run_files.h"

namespace eb::tools {

struct RunState {
  std::string name;  // "finished", "running", "stopped", "failed", "unknown"
  nlohmann::json exit_code;
  std::string warning;  // empty if there is nothing to say
};
// A process that holds the run's lock is running it, unless it is this one and has written its exit code.
RunState state_of(const RunFiles& run);

int64_t epochs_done(const RunFiles& run);
nlohmann::json epochs_planned(const RunFiles& run);

}  // namespace eb::tools
