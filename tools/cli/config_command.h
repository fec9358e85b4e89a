// eb_engine config show | validate | explain | schema | docs. Data goes to stdout, warnings to stderr.
#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace eb::tools {

// Registers the subcommand; parsing it puts into `run` what main is to call. `run` returns the exit code and
// throws eb::Error.
void add_config_command(CLI::App& app, std::function<int()>& run);

}  // namespace eb::tools
