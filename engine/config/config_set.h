// The grammar of --set: keys joined by ".", list index as "[2]", "=", then JSON, or bare text where text is
// wanted.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "engine/config/config.h"

namespace eb::engine {

struct SetPath {
  std::string text;  // left of "="
  std::string key;   // the field, or the section, that the path starts with
  std::vector<std::variant<std::string, size_t>> steps;  // on into the field's value
  std::string value;                                     // right of "="
};

// Error 2009 for the grammar, 2003 for a key that does not exist.
SetPath parse_set(const std::string& text, const Table& table, const Origin& origin);

// The right side as JSON; as plain text if it is none and `field` (null for a section) wants text. Error
// 2009.
nlohmann::json set_value(const SetPath& path, const Field* field, const Origin& origin);

// Follows path.steps into `whole` and replaces what is there. Error 2009 if there is nothing.
void replace_inside(nlohmann::json& whole, const SetPath& path, const nlohmann::json& value,
                    const Origin& origin);

}  // namespace eb::engine
