// `eb_engine version`: what was built, for which CPU, against what.
#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "kernels/built.h"
#include "kernels/cpu/cpu_info.h"
#include "tools/cli/commands.h"
#include "tools/experiment/version.h"

namespace eb::tools {

static nlohmann::json devices() {
  nlohmann::json list = {"cpu"};
  if (kernels::built::cuda) list.push_back("cuda");
  return list;
}

nlohmann::json version_info() {
  return {{"eb_engine", EB_VERSION},
          {"compiler", "g++ " __VERSION__},
          {"onednn", kernels::cpu::onednn_version()},
          {"devices", devices()},
          {"bf16", kernels::cpu::bf16_arithmetic()},
          {"checkpoint_format", 1}};
}

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
