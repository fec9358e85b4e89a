// How each op is written to PyTorch, in one table.
#pragma once
#include <string>

#include "engine/graph/graph.h"

namespace eb::tools {

// A layer that is to be constructed. Numbers are texts: some are open (torch_class.h).
struct TorchLayer {
  const engine::Node &node, &input;
  std::string in_channels, out_channels, stride;
  bool is_row;  // its value is (N, C)
};

struct TorchOp {
  enum class Layout : uint8_t { as_it_comes, map, row };  // map (N, C, H, W), row (N, C)
  Layout reads, writes;                                   // writes as_it_comes: as what it reads
  const char* channels = nullptr;  // ends the name of its number of channels; null where they are its input's
  // nn.Something(...). Null for what is no module, and no part of an nn.Sequential: a sum.
  std::string (*layer)(const TorchLayer&);
  // Of an op without state, where forward() calls no module: of the text of its input.
  std::string (*call)(const engine::Node&, const std::string& x) = nullptr;
};

// Error 2083 for an op that has no row.
const TorchOp& torch_op(const engine::Node& node);

// Whether the op has tensors in the state_dict.
bool has_state(const engine::Node& node);

// {a, a} is "a", others "(a, b)".
std::string pair_text(const int64_t (&pair)[2]);

}  // namespace eb::tools
