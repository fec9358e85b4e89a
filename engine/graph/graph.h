// A model is a flat list of named nodes in topological order, each reading earlier ones. The list is what a
// checkpoint carries: real channel counts, so a pruned model always loads. Node ids are the state_dict
// prefixes of the reference ("feature.0", "layer1.0.bn1"), and node order is its module registration order.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "engine/graph/op.h"
#include "engine/tensor/tensor.h"

namespace eb::engine {

const char* name_of(Op op);

struct Node {
  std::string id;
  Op op;
  std::vector<int> in;  // indices of earlier nodes
  // conv, linear
  int64_t out_channels = 0;
  bool bias = false;
  // conv, pools: height and width
  int64_t kernel[2] = {1, 1}, stride[2] = {1, 1}, pad[2] = {0, 0};
  int64_t groups = 1;
  // bn
  float eps = 1e-5f, momentum = 0.1f;
  // select: ascending kept channels of its input; `all` (the dense network) keeps every channel
  std::vector<int32_t> select;
  bool select_all = true;
  int64_t select_total = 0;  // length of the reference's select.indexes: channels of the input
  // Derived by infer_shapes(): output height, width, channels ((1, 1, C) after global pooling or linear).
  int64_t h = 0, w = 0, c = 0;
};

struct Graph {
  std::vector<Node> nodes;  // nodes[0] is the input
  int output = -1;

  int find(const std::string& id) const;  // -1 if absent
  std::vector<int> bn_nodes() const;      // in node order: the order of docs/method.md 1.2's global vector
  std::vector<std::vector<int>> consumers() const;
  // Fills the derived fields. Throws Error 21xx naming the node: shapes that do not meet, kernel 0, stride 0,
  // pad >= kernel, groups not dividing, channel counts outside 1..65536, more than 100,000 nodes, a node that
  // nothing reads.
  void infer_shapes();
};

// { "input": {"id": "x", "shape": [C, H, W]}, "output": "fc", "nodes": [{"id", "op", "in": [...], ...}] }
// Strict: unknown keys, dangling ids and cycles are errors 21xx. Nodes may come in any order that is acyclic;
// they keep their file order if it is topological. Keys beside id, op, in (* = required):
//   conv: out_channels* kernel* stride=1 pad=0 groups=1 bias=false    linear: out_channels* bias=true
//   max_pool, avg_pool: kernel* stride=kernel pad=0                   bn: eps=1e-5 momentum=0.1
//   select: indices (absent = all), total (must match its input)      relu, add, global_avg_pool: none
// kernel, stride and pad are an integer or [height, width].
Graph graph_from_json(const nlohmann::json& j);
// The same with `ops` to choose from instead of the engine's.
Graph graph_from_json(const nlohmann::json& j, std::span<const Op> ops);
nlohmann::json to_json(const Graph& graph);

}  // namespace eb::engine
