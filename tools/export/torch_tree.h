// The modules that a graph's node ids spell out ("layer1.0.conv1"), and which of them PyTorch can call as
// one.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/graph/graph.h"

namespace eb::tools {

struct TorchModule {
  enum class Kind : uint8_t {
    layer,     // one node
    sequence,  // nn.Sequential: children 0, 1, ... each reading only the one before
    block,     // a class of its own: one value goes in, one comes out
    names      // only a prefix: the code around it calls its layers one by one
  };
  std::string name, path;
  Kind kind = Kind::layer;
  int node = -1;                      // of a layer
  int input = -1, output = -1;        // the node whose value goes in, and the one whose value comes out
  bool stateful = false;              // some layer here has tensors in the state_dict
  std::vector<int> nodes;             // all of them, ascending
  std::vector<TorchModule> children;  // by their first node
  std::map<std::string, size_t> containers = {};  // children that are no layers, by name
};

// The whole network, a block. Error 2076 for node ids that cannot be PyTorch's names, 2083 for an op that it
// does not have.
TorchModule torch_tree(const engine::Graph& graph);

// The layer that gets what a layer or a sequence is given; -1 for a block.
int first_layer(const TorchModule& module);

// Whether Python code may write self.NAME.
bool is_python_name(const std::string& name);

// By node: (N, C) in PyTorch, because it comes from a linear layer or a global pool; else (N, C, H, W).
std::vector<bool> flat_values(const engine::Graph& graph);

}  // namespace eb::tools
