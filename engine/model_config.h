// What the model section of a configuration asks for.
#pragma once
#include "engine/config.h"
#include "engine/graph.h"
#include "engine/model.h"

namespace eb::engine {

// From model.arch or model.graph, shapes inferred. Error 21xx for a graph that cannot be.
Graph graph_of(const Config& config);

InitConfig init_of(const Config& config);

}  // namespace eb::engine
