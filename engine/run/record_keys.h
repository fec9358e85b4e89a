// How record.cpp and summary.cpp write what may not have been measured.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/run/record.h"

namespace eb::engine {

// Null where it was not measured.
template <class T>
void put(nlohmann::json& j, const char* key, const std::optional<T>& v) {
  j[key] = or_null(v);
}

// Left out where it was not measured.
template <class T>
void put_if(nlohmann::json& j, const char* key, const std::optional<T>& v) {
  if (v) j[key] = *v;
}

// Of an object there; none where there is none.
template <class T>
std::optional<T> object_in(const nlohmann::json& j, const char* key, T (*read)(const nlohmann::json&)) {
  const nlohmann::json& v = lenient::value(j, key);
  return v.is_object() ? std::optional<T>(read(v)) : std::nullopt;
}

inline std::optional<Phase> phase_in(const nlohmann::json& j, const char* key) {
  return value_of<Phase>(lenient::text(j, key));
}

std::vector<PhaseRecord> phases_in(const nlohmann::json& j);

}  // namespace eb::engine
