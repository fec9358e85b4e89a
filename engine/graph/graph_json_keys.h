// The JSON keys of each op, in one table that reading, "did you mean" and writing share, and the typed
// readers behind it. Errors: 2103 wrong type, 2107 out of range.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/graph/graph.h"

namespace eb::engine {

using Where = std::string;  // what an error is about: node "conv1", graph

struct Key {
  const char* name;
  bool required;
  void (*read)(const nlohmann::json&, const Where&, Node&);
  nlohmann::json (*write)(const Node&);  // discarded = leave out
};

// In reading order; "id", "op" and "in", which every node has, are not in it.
const std::vector<Key>& keys_of(Op op);

int64_t read_integer(const nlohmann::json& j, const Where& where, const std::string& key);
const std::string& read_string(const nlohmann::json& j, const Where& where, const std::string& key);
void check_array(const nlohmann::json& j, const Where& where, const std::string& key);

}  // namespace eb::engine
