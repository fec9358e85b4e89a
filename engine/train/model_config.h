// What the model section of a configuration asks for.
#pragma once
#include "engine/config/config.h"
#include "engine/graph/graph.h"
#include "engine/model/model.h"

namespace eb::engine {

// From model.arch or model.graph, shapes inferred. Error 21xx for a graph that cannot be.
Graph described_graph(const Config& config);
// What a run of this config trains: the same, unless it starts from a pruned form of it (model.init.graph).
Graph graph_of(const Config& config);

InitConfig init_of(const Config& config);

}  // namespace eb::engine
