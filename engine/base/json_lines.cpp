#include "engine/base/json_lines.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/json.h"

namespace eb::engine {

static bool is_flat(const nlohmann::ordered_json& list) {
  return list.is_array() &&
         std::none_of(list.begin(), list.end(), [](const auto& v) { return v.is_structured(); });
}

// With a space behind each comma and colon.
static std::string one_line(const nlohmann::ordered_json& v) {
  if (!v.is_structured() || v.empty()) return dump_json(v);
  std::string text;
  for (const auto& [key, value] : v.items()) {
    if (!text.empty()) text += ", ";
    if (v.is_object()) text += dump_json(nlohmann::ordered_json(key)) + ": ";
    text += one_line(value);
  }
  return v.is_object() ? "{" + text + "}" : "[" + text + "]";
}

static std::string lines_of(const nlohmann::ordered_json& v, size_t indent, size_t used, size_t width) {
  std::string line = one_line(v);
  if (!v.is_structured() || is_flat(v) || used + line.size() <= width) return line;
  const std::string margin(indent + 2, ' ');
  std::string text = v.is_object() ? "{" : "[";
  for (const auto& [key, value] : v.items()) {
    const std::string name = v.is_object() ? dump_json(nlohmann::ordered_json(key)) + ": " : "";
    text += (text.size() == 1 ? "\n" : ",\n") + margin + name +
            lines_of(value, indent + 2, indent + 3 + name.size(), width);
  }
  return text + "\n" + std::string(indent, ' ') + (v.is_object() ? "}" : "]");
}

std::string dump_json_lines(const nlohmann::ordered_json& value, size_t width) {
  return lines_of(value, 0, 0, width);
}

}  // namespace eb::engine
