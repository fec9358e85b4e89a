// What the field table says, as text for people and as a JSON Schema for editors.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "engine/config/config.h"

namespace eb::tools {

std::string config_reference(const engine::Table& table);          // docs/config.md
nlohmann::ordered_json config_schema(const engine::Table& table);  // draft-07; knows types, ranges, choices
nlohmann::ordered_json field_schema(const engine::Field& field);
// A key, all keys of a section, or everything for "". Error 2003 for a key that does not exist.
std::string explain(const engine::Table& table, const std::string& key);

}  // namespace eb::tools
