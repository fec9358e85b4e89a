#include "tools/record/json_read.h"

#include <cmath>

namespace eb::tools::page {

using nlohmann::json;

const json& value(const json& object, const char* key) {
  static const json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

Number number(const json& v) {
  if (!v.is_number()) return std::nullopt;
  const double d = v.get<double>();
  return std::isfinite(d) ? Number(d) : std::nullopt;
}

Number number(const json& object, const char* key) {
  return number(value(object, key));
}

const json& list(const json& object, const char* key) {
  static const json empty = json::array();
  const json& v = value(object, key);
  return v.is_array() ? v : empty;
}

std::string text(const json& object, const char* key) {
  const json& v = value(object, key);
  return v.is_string() ? v.get<std::string>() : std::string();
}

bool flag(const json& object, const char* key) {
  const json& v = value(object, key);
  return v.is_boolean() && v.get<bool>();
}

Number share(Number part, Number whole) {
  if (!part || !whole || *whole == 0) return std::nullopt;
  return *part / *whole;
}

}  // namespace eb::tools::page
