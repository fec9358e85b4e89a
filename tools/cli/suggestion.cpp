// CLI11 has no "did you mean": this finds the word it stumbled over.
#include <fmt/format.h>

#include <algorithm>

#include "engine/base/error.h"
#include "tools/cli/parse.h"

namespace eb::tools {
namespace {

std::string hint(const std::string& near) {
  return fmt::format("\n  hint: did you mean \"{}\"?", near);
}

// "--help" too, which every command has.
std::vector<std::string> long_names(const Command& command) {
  std::vector<std::string> names = {"--help"};
  for (const Flag& flag : command.flags)
    if (const size_t at = flag.names.find("--"); at != std::string::npos)
      names.push_back(flag.names.substr(at));
  return names;
}

std::vector<std::string> names_below(const Command& group) {
  std::vector<std::string> names;
  for (const Command& command : group.commands) names.push_back(command.name);
  return names;
}

}  // namespace

std::string suggestion(const Command& program, int argc, const char* const* argv) {
  const Command* at = &program;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word[0] == '-') {
      if (!word.starts_with("--")) continue;
      const std::string flag = word.substr(0, word.find('='));
      const std::string near = did_you_mean(flag, long_names(*at));
      if (!near.empty() && near != flag) return hint(near);
      continue;
    }
    if (at->commands.empty()) continue;
    const auto below = std::find_if(at->commands.begin(), at->commands.end(),
                                    [&](const Command& command) { return command.name == word; });
    if (below == at->commands.end()) {
      const std::string near = did_you_mean(word, names_below(*at));
      return near.empty() ? "" : hint(near);
    }
    at = &*below;
  }
  return "";
}

}  // namespace eb::tools
