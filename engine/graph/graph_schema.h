// What graph_from_json reads, as a JSON Schema (draft-07) for editors, and a graph as a person would write
// it.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <span>

#include "engine/graph/op_spec.h"

namespace eb::engine {

nlohmann::ordered_json graph_schema();
nlohmann::ordered_json graph_schema(std::span<const Op> ops);

// to_json without the keys that mean the same when they are left out; those of a node in the order of its
// spec.
nlohmann::ordered_json short_json(const Graph& graph);

// What a key of the op is if it is left out; discarded where that is no fixed value.
nlohmann::json default_of(Op op, const Key& key);

}  // namespace eb::engine
