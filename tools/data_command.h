// `eb_engine data stats|verify`: what is in the data of a config.
#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace eb::tools {

void add_data_command(CLI::App& app, std::function<int()>& run);

}  // namespace eb::tools
