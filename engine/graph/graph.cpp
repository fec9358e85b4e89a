// Shape inference is also the gate for untrusted graphs (checkpoints, user JSON): what passes here fits the
// limits of graph_rules.h, so nothing behind it needs to check again.
#include "engine/graph/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/text.h"
#include "engine/graph/graph_rules.h"
#include "engine/graph/op_spec.h"
#include "engine/graph/shapes.h"

namespace eb::engine {

namespace {

void check_tensor(const Node& node, const char* what, double elements) {
  if (elements > max_tensor)
    fail(errors::network_too_large, node, fmt::format("{} would have more than 2^31 elements", what));
}

// Ids, arity, order: everything that needs no shapes.
void check_structure(const Graph& graph) {
  if (graph.nodes.empty() || graph.nodes[0].op != Op::input)
    throw Error(errors::graph_missing_key, "the graph's first node is not its input");
  if (graph.nodes.size() > max_nodes)
    throw Error(errors::network_too_large,
                fmt::format("the graph has {} nodes, at most {} are allowed", graph.nodes.size(), max_nodes));
  if (graph.output < 0 || graph.output >= static_cast<int>(graph.nodes.size()))
    throw Error(errors::bad_graph_output, "the graph's output is not one of its nodes");
  std::unordered_set<std::string> ids;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    check_id(node.id);
    if (!ids.insert(node.id).second)
      throw Error(errors::bad_node_id, fmt::format("two nodes are called {}", quote(node.id)));
    if (node.op == Op::input && i > 0) fail(errors::graph_missing_key, node, "a graph has one input");
    if (static_cast<int>(node.in.size()) != node.op->inputs)
      fail(errors::wrong_input_count, node,
           fmt::format("{} reads {} nodes, got {}", node.op->name, node.op->inputs, node.in.size()));
    for (int in : node.in)
      if (in < 0 || in >= static_cast<int>(i))
        fail(errors::graph_cycle, node, "reads a node that does not come before it");
  }
}

void check_all_read(const Graph& graph) {
  std::vector<bool> read(graph.nodes.size());
  read[graph.output] = true;
  for (const Node& node : graph.nodes)
    for (int in : node.in) read[in] = true;
  for (size_t i = 0; i < read.size(); ++i)
    if (!read[i])
      fail(errors::unread_node, graph.nodes[i], "nothing reads it, and it is not the output",
           "remove it, or name it as the graph's output");
}

// Elements of its weights, in double: a hostile graph's may not fit an integer.
double weights_of(const Graph& graph, const Node& node) {
  double sum = 0;
  for (const ParameterSpec& p : parameters_of(graph, node)) {
    if (!Parameter::is_weight(p.kind)) continue;
    double elements = 1;
    for (const int64_t axis : p.shape) elements *= double(axis);
    check_tensor(node, "its weight", elements);
    sum += elements;
  }
  return sum;
}

// Multiply-adds of a layer with weights, window reads of a pool.
double work_of(const Node& node, double weights) {
  const double positions = double(node.h * node.w);
  if (weights > 0) return weights * positions;
  return positions * double(node.c) * double(node.kernel[0]) * double(node.kernel[1]);
}

void check_totals(const Graph& graph) {
  double work = 0, parameters = 0;
  for (const Node& node : graph.nodes) {
    if (node.in.empty()) continue;
    const double weights = weights_of(graph, node);
    parameters += weights;
    work += work_of(node, weights);
  }
  if (parameters > max_parameters)
    throw Error(errors::network_too_large, "the graph has more than 2^34 parameters");
  if (work > max_work)
    throw Error(errors::network_too_large, "the graph needs more than 2^50 multiply-adds per image");
}

}  // namespace

void check_id(const std::string& id) {
  const auto allowed = [](char ch) {
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '_' ||
           ch == '.' || ch == '/' || ch == '-';
  };
  if (id.empty() || id.size() > 200 || !std::all_of(id.begin(), id.end(), allowed))
    throw Error(errors::bad_node_id, "bad node id " + quote(id),
                "use 1 to 200 letters, digits, '_', '.', '/' or '-'");
}

int Graph::find(const std::string& id) const {
  for (size_t i = 0; i < nodes.size(); ++i)
    if (nodes[i].id == id) return static_cast<int>(i);
  return -1;
}

std::vector<int> Graph::bn_nodes() const {
  std::vector<int> found;
  for (size_t i = 0; i < nodes.size(); ++i)
    if (nodes[i].op == Op::bn) found.push_back(static_cast<int>(i));
  return found;
}

std::vector<std::vector<int>> Graph::consumers() const {
  std::vector<std::vector<int>> readers(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i)
    for (int in : nodes[i].in) readers[in].push_back(static_cast<int>(i));
  return readers;
}

void Graph::infer_shapes() {
  check_structure(*this);
  for (Node& node : nodes) {
    Inputs in;
    for (int i : node.in) in.push_back(&nodes[i]);
    node.op->infer(node, in);
    weights_of(*this, node);
    check_range(node, "output height", node.h, 1, max_axis);
    check_range(node, "output width", node.w, 1, max_axis);
    check_tensor(node, "its output", double(node.h * node.w) * double(node.c));
  }
  check_all_read(*this);
  check_totals(*this);
}

}  // namespace eb::engine
