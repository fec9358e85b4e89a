// One value against one field of the table.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "engine/config/config.h"

namespace eb::engine {

// The value with synonyms and ${VARIABLES} of paths replaced. Errors 2004 wrong type, 2005 out of range or
// not a choice, 2008 duration, 2011 not supported yet; all name the field and point at `origin`.
nlohmann::json check_value(const Field& field, nlohmann::json value, const Origin& origin);

// Error 2003 with the nearest key as a hint. `key` is dotted and does not exist.
Error unknown_key(const Table& table, const std::string& section, const std::string& name,
                  const Origin& origin);

std::string name_of(Field::Type type);     // "list of numbers"
std::string range_of(const Field& field);  // "0 < x < 1", "one of a | b", "" if anything goes
bool is_list(Field::Type type);
Field::Type element_of(Field::Type type);  // itself if it is no list

}  // namespace eb::engine
