#include "engine/config/config_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "engine/base/error_codes.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/config/config_check.h"

namespace eb::engine {

using nlohmann::json;
using Step = std::variant<std::string, size_t>;
using Type = Field::Type;

static Error grammar(const std::string& message, const Origin& origin) {
  return Error(
      errors::bad_set, message,
      "write --set KEY=VALUE, as in --set train.optimizer.lr=0.05 or --set 'early_bird.watch[1]=0.4'",
      origin.where());
}

static size_t parse_index(const std::string& digits, const Origin& origin) {
  size_t index = 0;
  const char* end = digits.data() + digits.size();
  const auto [rest, fault] = std::from_chars(digits.data(), end, index);
  if (fault != std::errc() || rest != end)
    throw grammar("bad list index " + quote("[" + digits + "]"), origin);
  return index;
}

// "a.b[2].c" -> a, b, 2, c
static std::vector<Step> parse_steps(const std::string& text, const Origin& origin) {
  std::vector<Step> steps;
  size_t i = 0;
  while (i < text.size() || steps.empty()) {
    const size_t end = std::min(text.find_first_of(".[", i), text.size());
    if (end == i) throw grammar("empty key in " + quote(text), origin);
    steps.emplace_back(text.substr(i, end - i));
    for (i = end; i < text.size() && text[i] == '[';) {
      const size_t close = text.find(']', i);
      if (close == std::string::npos) throw grammar("\"[\" without \"]\" in " + quote(text), origin);
      steps.emplace_back(parse_index(text.substr(i + 1, close - i - 1), origin));
      i = close + 1;
    }
    if (i < text.size() && (text[i] != '.' || i + 1 == text.size()))
      throw grammar("want \".\" and a key in " + quote(text), origin);
    ++i;
  }
  return steps;
}

SetPath parse_set(const std::string& text, const Table& table, const Origin& origin) {
  const size_t equal = text.find('=');
  if (equal == std::string::npos) throw grammar("no \"=\" in " + quote(text), origin);
  SetPath path{text.substr(0, equal), "", {}, text.substr(equal + 1)};
  std::vector<Step> steps = parse_steps(path.text, origin);
  size_t used = 0;
  while (used < steps.size() && !table.find(path.key)) {
    const std::string* name = std::get_if<std::string>(&steps[used]);
    if (!name) throw grammar(quote(path.key) + " is a section, not a list", origin);
    const std::string key = path.key.empty() ? *name : path.key + "." + *name;
    if (!table.find(key) && !table.is_section(key)) throw unknown_key(table, path.key, *name, origin);
    path.key = key;
    ++used;
  }
  path.steps.assign(steps.begin() + static_cast<std::ptrdiff_t>(used), steps.end());
  return path;
}

static bool wants_text(const Field* field) {
  if (!field) return false;
  const Type t = field->type;
  return t == Type::string || t == Type::duration || t == Type::path || t == Type::list_of_strings ||
         t == Type::list_of_durations || !field->synonyms.empty();
}

json set_value(const SetPath& path, const Field* field, const Origin& origin) {
  try {
    return parse_json(path.value, "--set", false);
  } catch (const Error& e) {
    if (wants_text(field)) return path.value;
    throw grammar(fmt::format("{}: {} is not JSON", path.key, quote(path.value)), origin);
  }
}

void replace_inside(json& whole, const SetPath& path, const json& value, const Origin& origin) {
  json* node = &whole;
  for (const Step& step : path.steps) {
    const auto* index = std::get_if<size_t>(&step);
    const auto* name = std::get_if<std::string>(&step);
    if (index && node->is_array() && *index < node->size()) {
      node = &(*node)[*index];
    } else if (name && node->is_object() &&
               (node->contains(*name) || name == std::get_if<std::string>(&path.steps.back()))) {
      node = &(*node)[*name];
    } else {
      throw grammar(
          fmt::format("{} has no {}", path.key, index ? fmt::format("element [{}]", *index) : quote(*name)),
          origin);
    }
  }
  *node = value;
}

}  // namespace eb::engine
