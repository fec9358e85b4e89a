// Batch norms whose channels are never pruned, by id or pattern (early_bird.protect).
#pragma once
#include <string>
#include <vector>

#include "engine/graph/graph.h"

namespace eb::pruning {

bool matches(const std::string& pattern, const std::string& text);  // '*' matches any run of characters

// Error 2005 if one of the patterns matches the id of no batch norm.
void check_protect(const engine::Graph& graph, const std::vector<std::string>& patterns);

}  // namespace eb::pruning
