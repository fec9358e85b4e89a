// A whole graph in training mode in double: forward by the oracles of its ops, gradients of the loss by
// central differences.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/model/model.h"
#include "support/values.h"

namespace eb::test {

struct GraphCase {
  const char* name;
  const char* json;  // as graph_from_json reads it
  engine::Graph graph() const;
  friend std::ostream& operator<<(std::ostream& out, const GraphCase& c) { return out << c.name; }
};
// Small graphs that together hold every op, every fusion and every reason not to fuse.
std::vector<GraphCase> graph_cases();

// A model with every value away from its special points: gammas around 1 of both signs, betas not 0.
engine::Model random_model(engine::Graph graph, kernels::DType compute, uint64_t seed = 1);
engine::Tensor random_images(const engine::Model& model, int64_t n, uint64_t seed = 2);  // compute dtype
engine::Tensor some_labels(const engine::Model& model, int64_t n);

Doubles to_doubles(const engine::Tensor& t);

struct GraphOracle {
  engine::Graph graph;
  int64_t n;
  Doubles x;
  std::vector<int32_t> labels;
  std::map<std::string, Doubles> parameters;  // by name, in the arena's layout
  // The value of an op from outside the list: of its input and its ".weight".
  std::function<Doubles(const engine::Node&, const Doubles& x, const Doubles& weight)> outside = {};

  GraphOracle(const engine::Model& model, const engine::Tensor& images, const engine::Tensor& labels);
  Doubles logits() const;
  double loss() const;  // label smoothing 0
  Doubles gradient(const std::string& parameter) const;
};

}  // namespace eb::test
