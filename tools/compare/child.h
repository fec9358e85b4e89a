// This program once more, in a process of its own: a run that dies takes nothing with it.
#pragma once
#include <string>
#include <vector>

namespace eb::tools {

// Runs eb_engine with `args` and waits; stdout goes to stderr. A stop signal (engine/base/stop_signal.h) is
// passed on as SIGUSR1. Returns the exit code, 128 + N for signal N.
int run_self(const std::vector<std::string>& args);

}  // namespace eb::tools
