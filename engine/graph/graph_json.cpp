// Graph <-> JSON, strict in both directions. Input may be hostile: only eb::Error leaves, and sizes are
// checked before anything is allocated for them.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <queue>
#include <unordered_map>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/text.h"
#include "engine/graph/graph.h"
#include "engine/graph/graph_json_keys.h"
#include "engine/graph/graph_rules.h"

namespace eb::engine {

using nlohmann::json;

namespace {

void check_keys(const json& object, const Where& where, const std::vector<std::string>& allowed) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(allowed.begin(), allowed.end(), key) != allowed.end()) continue;
    const std::string near = did_you_mean(key, allowed);
    throw Error(errors::graph_unknown_key, fmt::format("{}: unknown key {}", where, quote(key)),
                near.empty() ? fmt::format("known keys: {}", fmt::join(allowed, ", "))
                             : fmt::format("did you mean \"{}\"?", near));
  }
}

const json& required(const json& object, const Where& where, const char* key) {
  if (!object.is_object())
    throw Error(errors::graph_wrong_type,
                fmt::format("{}: want an object, got {}", where, object.type_name()));
  const auto found = object.find(key);
  if (found == object.end())
    throw Error(errors::graph_missing_key, fmt::format("{}: missing key \"{}\"", where, key));
  return *found;
}

// `ops` begin with the graph's input, which is no node of the file.
Op read_op(const json& object, const Where& where, std::span<const Op> ops) {
  const std::string& name = read_string(required(object, where, "op"), where, "op");
  const auto nodes = ops.subspan(1);
  const auto found = std::ranges::find(nodes, name, [](Op op) { return std::string_view(op->name); });
  if (found != nodes.end()) return *found;
  std::vector<std::string> candidates;
  for (const Op op : nodes) candidates.push_back(op->name);
  const std::string near = did_you_mean(name, candidates);
  throw Error(errors::unknown_op, fmt::format("{}: unknown op {}", where, quote(name)),
              near.empty() ? fmt::format("known ops: {}", fmt::join(candidates, ", "))
                           : fmt::format("did you mean \"{}\"?", near));
}

Node read_node(const json& object, size_t position, std::span<const Op> ops) {
  const Where anonymous = fmt::format("nodes[{}]", position);
  const std::string& id = read_string(required(object, anonymous, "id"), anonymous, "id");
  check_id(id);
  const Where where = "node " + quote(id);
  Node node = new_node(read_op(object, where, ops));
  node.id = id;
  std::vector<std::string> allowed = {"id", "op", "in"};
  for (const Key& key : node.op->keys) {
    allowed.push_back(key.name);
    const auto value = object.find(key.name);
    if (value != object.end()) read_key(key, *value, where, node);
    if (value == object.end() && key.must_be_given) required(object, where, key.name);
  }
  check_keys(object, where, allowed);
  return node;
}

Node read_input(const json& object) {
  const Where where = "graph input";
  Node node;
  node.op = Op::input;
  node.id = read_string(required(object, where, "id"), where, "id");
  check_id(node.id);
  check_keys(object, where, {"id", "shape"});
  const json& shape = required(object, where, "shape");
  if (!shape.is_array() || shape.size() != 3)
    throw Error(errors::graph_wrong_type, "graph input: \"shape\" must be [channels, height, width]");
  node.c = read_integer(shape[0], where, "shape");
  node.h = read_integer(shape[1], where, "shape");
  node.w = read_integer(shape[2], where, "shape");
  return node;
}

using Names = std::unordered_map<std::string, int>;

int resolve(const Names& names, const std::string& id, int code, const std::string& message) {
  const auto found = names.find(id);
  if (found != names.end()) return found->second;
  std::vector<std::string> all;
  for (const auto& [name, index] : names)
    if (all.size() < 1000) all.push_back(name);
  const std::string near = did_you_mean(id, all);
  throw Error(code, message, near.empty() ? "" : fmt::format("did you mean \"{}\"?", near));
}

void read_edges(const json& object, const Names& names, Node& node) {
  const Where where = "node " + quote(node.id);
  const json& in = required(object, where, "in");
  check_array(in, where, "in");
  if (static_cast<int>(in.size()) != node.op->inputs)
    throw Error(errors::wrong_input_count, fmt::format("{}: {} reads {} nodes, got {}", where, node.op->name,
                                                       node.op->inputs, in.size()));
  for (const json& j : in) {
    const std::string& id = read_string(j, where, "in");
    node.in.push_back(resolve(names, id, errors::unknown_node,
                              fmt::format("{}: reads {}, which is not a node", where, quote(id))));
  }
}

// Follows unplaced inputs until one repeats: "a" reads "b" reads "a".
std::string describe_cycle(const std::vector<Node>& nodes, const std::vector<bool>& placed) {
  const auto unplaced_input = [&](int i) {
    return *std::find_if(nodes[i].in.begin(), nodes[i].in.end(), [&](int in) { return !placed[in]; });
  };
  int at = static_cast<int>(std::find(placed.begin(), placed.end(), false) - placed.begin());
  std::vector<bool> seen(nodes.size());
  while (!seen[at]) seen[at] = true, at = unplaced_input(at);
  std::string text = quote(nodes[at].id);
  int shown = 0;
  for (int i = unplaced_input(at); i != at && shown < 8; i = unplaced_input(i), ++shown)
    text += " reads " + quote(nodes[i].id);
  return text + (shown == 8 ? " reads ..." : " reads " + quote(nodes[at].id));
}

// File order if it is topological; otherwise each next node is the first in the file whose inputs are all
// placed.
std::vector<int> topological_order(const std::vector<Node>& nodes) {
  std::vector<int> missing(nodes.size()), order;
  std::vector<std::vector<int>> readers(nodes.size());
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (size_t i = 0; i < nodes.size(); ++i) {
    missing[i] = static_cast<int>(nodes[i].in.size());
    for (int in : nodes[i].in) readers[in].push_back(static_cast<int>(i));
    if (missing[i] == 0) ready.push(static_cast<int>(i));
  }
  std::vector<bool> placed(nodes.size());
  while (!ready.empty()) {
    const int i = ready.top();
    ready.pop();
    placed[i] = true;
    order.push_back(i);
    for (int reader : readers[i])
      if (--missing[reader] == 0) ready.push(reader);
  }
  if (order.size() < nodes.size())
    throw Error(errors::graph_cycle, "the graph has a cycle: " + describe_cycle(nodes, placed));
  return order;
}

Graph reorder(std::vector<Node> nodes, int output) {
  const std::vector<int> order = topological_order(nodes);
  std::vector<int> place(nodes.size());
  for (size_t i = 0; i < order.size(); ++i) place[order[i]] = static_cast<int>(i);
  Graph graph;
  for (int i : order) {
    for (int& in : nodes[i].in) in = place[in];
    graph.nodes.push_back(std::move(nodes[i]));
  }
  graph.output = place[output];
  return graph;
}

}  // namespace

Graph graph_from_json(const json& j) {
  return graph_from_json(j, all_ops());
}

Graph graph_from_json(const json& j, std::span<const Op> ops) {
  std::vector<Node> nodes = {read_input(required(j, "graph", "input"))};
  check_keys(j, "graph", {"input", "output", "nodes"});
  const json& list = required(j, "graph", "nodes");
  check_array(list, "graph", "nodes");
  if (list.size() >= max_nodes)
    throw Error(errors::network_too_large,
                fmt::format("the graph has {} nodes, at most {} are allowed", list.size() + 1, max_nodes));
  for (size_t i = 0; i < list.size(); ++i) nodes.push_back(read_node(list[i], i, ops));
  Names names;
  for (size_t i = 0; i < nodes.size(); ++i)
    if (!names.emplace(nodes[i].id, static_cast<int>(i)).second)
      throw Error(errors::bad_node_id, fmt::format("two nodes are called {}", quote(nodes[i].id)));
  for (size_t i = 0; i < list.size(); ++i) read_edges(list[i], names, nodes[i + 1]);
  const std::string& output = read_string(required(j, "graph", "output"), "graph", "output");
  const int last = resolve(names, output, errors::bad_graph_output,
                           fmt::format("the output {} is not a node", quote(output)));
  Graph graph = reorder(std::move(nodes), last);
  graph.infer_shapes();
  return graph;
}

json to_json(const Graph& graph) {
  const Node& x = graph.nodes.at(0);
  json nodes = json::array();
  for (size_t i = 1; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    json in = json::array();
    for (int k : node.in) in.push_back(graph.nodes[k].id);
    json object = {{"id", node.id}, {"op", node.op->name}, {"in", std::move(in)}};
    for (const Key& key : node.op->keys)
      if (json value = write_key(key, node); !value.is_discarded()) object[key.name] = std::move(value);
    nodes.push_back(std::move(object));
  }
  return {{"input", {{"id", x.id}, {"shape", {x.c, x.h, x.w}}}},
          {"output", graph.nodes.at(graph.output).id},
          {"nodes", std::move(nodes)}};
}

}  // namespace eb::engine
