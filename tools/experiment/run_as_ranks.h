// `--ranks N`: this command once more, N times, by mpirun.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace eb::tools {

std::vector<std::string> command_line();  // of this process

// The exit code of the run, whose first failing rank decides; nothing if this process already is one of N
// ranks. A first SIGINT or SIGTERM asks all of them for a checkpoint and a stop, a second one ends them.
// Errors: 9010 no mpirun, 9008 a launcher started another number.
std::optional<int> run_as_ranks(int ranks, std::vector<std::string> command_line);

}  // namespace eb::tools
