#include "pruning/protect.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/text.h"

namespace eb::pruning {

using namespace engine;

static bool matches(const std::string& pattern, const std::string& text, size_t p, size_t t) {
  for (; p < pattern.size(); ++p, ++t) {
    if (pattern[p] == '*') {
      for (size_t rest = t; rest <= text.size(); ++rest)
        if (matches(pattern, text, p + 1, rest)) return true;
      return false;
    }
    if (t >= text.size() || pattern[p] != text[t]) return false;
  }
  return t == text.size();
}

bool matches(const std::string& pattern, const std::string& text) {
  return matches(pattern, text, 0, 0);
}

// The nearest id, or some of them where none is near.
static std::string protect_hint(const std::string& pattern, const std::vector<std::string>& ids) {
  std::string word = pattern;
  std::erase(word, '*');
  if (const std::string near = did_you_mean(word, ids); !near.empty())
    return fmt::format("did you mean \"{}\"?", near);
  const std::vector<std::string> some(
      ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(std::min<size_t>(5, ids.size())));
  return fmt::format("batch norms are: {}{}; * stands for any characters", fmt::join(some, ", "),
                     some.size() < ids.size() ? ", ..." : "");
}

void check_protect(const Graph& graph, const std::vector<std::string>& patterns) {
  std::vector<std::string> ids;
  for (const int bn : graph.bn_nodes()) ids.push_back(graph.nodes[bn].id);
  for (const std::string& pattern : patterns)
    if (std::ranges::none_of(ids, [&](const std::string& id) { return matches(pattern, id); }))
      throw Error(errors::bad_value, fmt::format("protect: no batch norm is called {}", quote(pattern)),
                  protect_hint(pattern, ids));
}

}  // namespace eb::pruning
