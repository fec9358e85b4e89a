// `eb_engine version`: what was built, for which CPU, against what.
#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "tools/cli/commands.h"
#include "tools/experiment/version.h"

namespace eb::tools {

void add_version_command(CLI::App& app, std::function<int()>& run) {
  auto* sub = app.add_subcommand("version", "Print versions of the engine and what it was built with");
  static bool json = false;
  sub->add_flag("--json", json, "One JSON object");
  sub->callback([&run] {
    run = [] {
      const auto info = version_info();
      if (json) {
        std::cout << info.dump(2) << "\n";
      } else {
        for (const auto& [key, value] : info.items())
          std::cout << key << ": " << (value.is_string() ? value.get<std::string>() : value.dump()) << "\n";
      }
      return 0;
    };
  });
}

}  // namespace eb::tools
