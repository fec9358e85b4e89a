#include "engine/base/json_read.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace eb::engine::lenient {

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

Count integer(const json& v) {
  constexpr double most = 9e18;  // of an int64_t, a little less
  const Number n = number(v);
  if (!n || std::abs(*n) > most || *n != std::floor(*n)) return std::nullopt;
  return v.get<int64_t>();
}

Count integer(const json& object, const char* key) {
  return integer(value(object, key));
}

const json& list(const json& object, const char* key) {
  static const json empty = json::array();
  const json& v = value(object, key);
  return v.is_array() ? v : empty;
}

std::string text(const json& object, const char* key) {
  return words(object, key).value_or("");
}

Words words(const json& object, const char* key) {
  const json& v = value(object, key);
  return v.is_string() ? Words(v.get<std::string>()) : std::nullopt;
}

bool flag(const json& object, const char* key) {
  const json& v = value(object, key);
  return v.is_boolean() && v.get<bool>();
}

}  // namespace eb::engine::lenient
