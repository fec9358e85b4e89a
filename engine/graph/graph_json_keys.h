// How an op's keys are read and written, whoever owns them. Errors: 2103 wrong type, 2107 out of range.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "engine/graph/op_spec.h"

namespace eb::engine {

void read_key(const Key& key, const nlohmann::json& j, const Where& where, Node& node);
nlohmann::json write_key(const Key& key, const Node& node);  // discarded = leave out
Key::Type type_of(const Key& key);

int64_t read_integer(const nlohmann::json& j, const Where& where, const std::string& key);
const std::string& read_string(const nlohmann::json& j, const Where& where, const std::string& key);
void check_array(const nlohmann::json& j, const Where& where, const std::string& key);

// Keys that are more than a field: a pool's kernel, which is its stride too, and what a select keeps.
void read_pool_kernel(const nlohmann::json& j, const Where& where, Node& node);
nlohmann::json write_kernel(const Node& node);
void read_indices(const nlohmann::json& j, const Where& where, Node& node);
nlohmann::json write_indices(const Node& node);
void read_total(const nlohmann::json& j, const Where& where, Node& node);
nlohmann::json write_total(const Node& node);

}  // namespace eb::engine
