// A network in ONNX's words, before any protobuf: here it is decided, and can be tested, what is folded, how
// things are called and what every op becomes. Nodes carry the ids of our graph; values are called "ID:out",
// which no id can be, weights as in model.safetensors.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/model/model.h"

namespace eb::tools {

struct OnnxAttribute {
  std::string name;
  std::variant<int64_t, float, std::vector<int64_t>> value;
};

struct OnnxNode {
  std::string op, name;
  std::vector<std::string> in;
  std::string out;
  std::vector<OnnxAttribute> attributes;
};

// An initialiser: exactly one of the two is filled.
struct OnnxTensor {
  std::string name;
  engine::Shape shape;
  std::vector<int64_t> integers;
  engine::Tensor floats;  // f32 on the CPU
};

struct OnnxGraph {
  std::string name;
  engine::Shape input;  // (C, H, W), without the batch
  int64_t classes = 0;
  std::vector<OnnxNode> nodes;
  std::vector<OnnxTensor> tensors;
  std::vector<std::pair<std::string, std::string>> metadata;
};

// fold_bn: a batch norm right behind a convolution that nothing else reads becomes part of it. Error 2083 for
// an op that ONNX is not told about here.
OnnxGraph onnx_graph(const engine::Model& model, bool fold_bn);

// For every batch norm that folds, the convolution that takes it up; both are node indices.
std::map<int, int> foldable(const engine::Graph& graph);
// `tensors` as state_dict() has them: weight and bias (made if absent) of `conv` become those of `bn` behind
// it. In double, rounded once.
void fold_batch_norm(std::map<std::string, engine::Tensor>& tensors, const engine::Node& conv,
                     const engine::Node& bn);

}  // namespace eb::tools
