// A batch norm learns from the variance over a batch and its pictures. Of one value there is none: training
// would go on with zeros for activations and write them into the running statistics.
#pragma once
#include "engine/graph/graph.h"

namespace eb::engine {

// The first batch norm that sees one value a channel in a batch of so many images; null: there is none.
const Node* lone_batch_norm(const Graph& graph, int64_t batch);

}  // namespace eb::engine
