// model.py: a network as plain torch.nn.
#pragma once
#include <string>

#include "engine/graph/graph.h"

namespace eb::tools {

// A program that needs torch >= 1.13 alone: class Model with the state_dict names of the graph's ids, load()
// for the weights beside it, and a main that prints the shape of an output. Error 2076 for a graph that
// PyTorch's modules cannot be named after, or that has a layer PyTorch does not, 2083 for one with such an
// op.
std::string torch_source(const engine::Graph& graph, const std::string& name);

}  // namespace eb::tools
