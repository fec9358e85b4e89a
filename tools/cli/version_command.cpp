// `eb_engine version`: what was built, for which CPU, against what.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"
#include "tools/cli/commands.h"
#include "tools/experiment/version.h"

namespace eb::tools {

static int print_version(bool json) {
  const auto info = version_info_with_libraries();
  if (json) {
    std::cout << engine::dump_json(info, 2) << "\n";
    return 0;
  }
  for (const auto& [key, value] : info.items())
    std::cout << key << ": " << (value.is_string() ? value.get<std::string>() : value.dump()) << "\n";
  return 0;
}

std::string version_line() {
  return "eb_engine " + version_info()["eb_engine"].get<std::string>();
}

Command version_command() {
  const auto json = std::make_shared<bool>(false);
  return {
      .name = "version",
      .doc = "Print versions of the engine and what it was built with",
      .flags = {Flag{"--json", json.get(), "One JSON object"}},
      .run = [json] { return print_version(*json); },
  };
}

}  // namespace eb::tools
