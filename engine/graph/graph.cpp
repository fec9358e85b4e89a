// Shape inference is also the gate for untrusted graphs (checkpoints, user JSON): what passes here fits the
// limits of graph_rules.h, so nothing behind it needs to check again.
#include "engine/graph/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/graph/graph_rules.h"

namespace eb::engine {

namespace {

[[noreturn]] void fail(int code, const Node& node, const std::string& what, const std::string& hint = "") {
  throw Error(code, fmt::format("node {}: {}", quote(node.id), what), hint);
}

std::string shape_text(const Node& n) {
  return fmt::format("({}, {}, {})", n.c, n.h, n.w);
}

void check_range(const Node& node, const char* key, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high)
    fail(2107, node, fmt::format("{} is {}, want {}..{}", key, value, low, high));
}

void check_tensor(const Node& node, const char* what, double elements) {
  if (elements > max_tensor) fail(2110, node, fmt::format("{} would have more than 2^31 elements", what));
}

// Sets h and w from the window over x.
void slide_window(Node& node, const Node& x) {
  const int64_t size[2] = {x.h, x.w};
  int64_t out[2];
  for (int axis : {0, 1}) {
    check_range(node, "kernel", node.kernel[axis], 1, max_axis);
    check_range(node, "stride", node.stride[axis], 1, max_axis);
    if (node.pad[axis] < 0 || node.pad[axis] >= node.kernel[axis])
      fail(2107, node,
           fmt::format("pad is {}, want 0 or more and less than the kernel ({})", node.pad[axis],
                       node.kernel[axis]));
    const int64_t room = size[axis] + 2 * node.pad[axis] - node.kernel[axis];
    if (room < 0)
      fail(2109, node,
           fmt::format("a kernel of {} does not fit its input {}", node.kernel[axis], shape_text(x)),
           "use a larger model.input or fewer strides and pools before it");
    out[axis] = room / node.stride[axis] + 1;
  }
  node.h = out[0], node.w = out[1];
}

using Inputs = std::vector<const Node*>;

void keep_shape(Node& node, const Inputs& in) {
  node.h = in[0]->h, node.w = in[0]->w, node.c = in[0]->c;
}

void infer_input(Node& node, const Inputs&) {
  check_range(node, "channels", node.c, 1, max_axis);
  check_range(node, "height", node.h, 1, max_axis);
  check_range(node, "width", node.w, 1, max_axis);
}

void infer_conv(Node& node, const Inputs& in) {
  const Node& x = *in[0];
  check_range(node, "out_channels", node.out_channels, 1, max_axis);
  check_range(node, "groups", node.groups, 1, max_axis);
  if (x.c % node.groups || node.out_channels % node.groups)
    fail(2108, node,
         fmt::format("groups {} must divide its input's channels ({}) and out_channels ({})", node.groups,
                     x.c, node.out_channels));
  slide_window(node, x);
  node.c = node.out_channels;
  check_tensor(node, "its weight",
               double(node.c) * double(node.kernel[0]) * double(node.kernel[1]) * double(x.c / node.groups));
}

void infer_bn(Node& node, const Inputs& in) {
  keep_shape(node, in);
  if (!(node.eps > 0) || !std::isfinite(node.eps)) fail(2107, node, "eps must be greater than 0");
  if (!(node.momentum >= 0 && node.momentum <= 1)) fail(2107, node, "momentum must be within 0..1");
}

void infer_add(Node& node, const Inputs& in) {
  if (in[0] == in[1]) fail(2108, node, fmt::format("adds {} to itself", quote(in[0]->id)));
  if (in[0]->h != in[1]->h || in[0]->w != in[1]->w || in[0]->c != in[1]->c)
    fail(2108, node,
         fmt::format("adds shapes that differ: {} is {}, {} is {}", quote(in[0]->id), shape_text(*in[0]),
                     quote(in[1]->id), shape_text(*in[1])));
  keep_shape(node, in);
}

void infer_select(Node& node, const Inputs& in) {
  keep_shape(node, in);
  if (node.select_total == 0) node.select_total = node.c;
  if (node.select_total != node.c)
    fail(2108, node,
         fmt::format("total is {}, but {} has {} channels", node.select_total, quote(in[0]->id), node.c));
  if (node.select_all) {
    node.select.clear();
    return;
  }
  if (node.select.empty()) fail(2107, node, "indices is empty, want at least one channel");
  int64_t previous = -1;
  for (int64_t i : node.select) {
    if (i <= previous || i >= node.c)
      fail(2107, node, fmt::format("indices must ascend within 0..{}, got {}", node.c - 1, i));
    previous = i;
  }
  node.c = static_cast<int64_t>(node.select.size());
}

void infer_pool(Node& node, const Inputs& in) {
  slide_window(node, *in[0]);
  node.c = in[0]->c;
  // The backward pass keeps the position of the maximum in one byte.
  if (node.op == Op::max_pool && node.kernel[0] * node.kernel[1] > 255)
    fail(2107, node, "a max_pool window has at most 255 elements");
}

void infer_global_pool(Node& node, const Inputs& in) {
  node.h = node.w = 1, node.c = in[0]->c;
}

void infer_linear(Node& node, const Inputs& in) {
  check_range(node, "out_channels", node.out_channels, 1, max_axis);
  node.h = node.w = 1, node.c = node.out_channels;
  check_tensor(node, "its weight", double(node.c) * double(in[0]->h * in[0]->w * in[0]->c));
}

struct OpRule {
  const char* name;
  int inputs;
  void (*infer)(Node&, const Inputs&);
};

// Indexed by Op.
const OpRule rules[] = {
    {"input", 0, infer_input},   {"conv", 1, infer_conv},     {"bn", 1, infer_bn},
    {"relu", 1, keep_shape},     {"add", 2, infer_add},       {"select", 1, infer_select},
    {"max_pool", 1, infer_pool}, {"avg_pool", 1, infer_pool}, {"global_avg_pool", 1, infer_global_pool},
    {"linear", 1, infer_linear},
};

const OpRule& rule_of(Op op) {
  return rules[static_cast<size_t>(op)];
}

// Ids, arity, order: everything that needs no shapes.
void check_structure(const Graph& graph) {
  if (graph.nodes.empty() || graph.nodes[0].op != Op::input)
    throw Error(2101, "the graph's first node is not its input");
  if (graph.nodes.size() > max_nodes)
    throw Error(2110,
                fmt::format("the graph has {} nodes, at most {} are allowed", graph.nodes.size(), max_nodes));
  if (graph.output < 0 || graph.output >= static_cast<int>(graph.nodes.size()))
    throw Error(2111, "the graph's output is not one of its nodes");
  std::unordered_set<std::string> ids;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    check_id(node.id);
    if (!ids.insert(node.id).second)
      throw Error(2104, fmt::format("two nodes are called {}", quote(node.id)));
    if (node.op == Op::input && i > 0) fail(2101, node, "a graph has one input");
    if (static_cast<int>(node.in.size()) != input_count(node.op))
      fail(2115, node,
           fmt::format("{} reads {} nodes, got {}", name_of(node.op), input_count(node.op), node.in.size()));
    for (int in : node.in)
      if (in < 0 || in >= static_cast<int>(i)) fail(2106, node, "reads a node that does not come before it");
  }
}

void check_all_read(const Graph& graph) {
  std::vector<bool> read(graph.nodes.size());
  read[graph.output] = true;
  for (const Node& node : graph.nodes)
    for (int in : node.in) read[in] = true;
  for (size_t i = 0; i < read.size(); ++i)
    if (!read[i])
      fail(2113, graph.nodes[i], "nothing reads it, and it is not the output",
           "remove it, or name it as the graph's output");
}

// Multiply-adds of a layer with weights, window reads of a pool.
double work_of(const Node& node, const Node& x) {
  const double out = double(node.h * node.w) * double(node.c);
  if (node.op == Op::linear) return out * double(x.h * x.w) * double(x.c);
  const double window = double(node.kernel[0]) * double(node.kernel[1]);
  return node.op == Op::conv ? out * window * double(x.c / node.groups) : out * window;
}

void check_totals(const Graph& graph) {
  double work = 0, parameters = 0;
  for (const Node& node : graph.nodes) {
    if (node.in.empty()) continue;
    const Node& x = graph.nodes[node.in[0]];
    work += work_of(node, x);
    if (node.op == Op::conv || node.op == Op::linear)
      parameters += work_of(node, x) / double(node.h * node.w);
  }
  if (parameters > max_parameters) throw Error(2110, "the graph has more than 2^34 parameters");
  if (work > max_work) throw Error(2110, "the graph needs more than 2^50 multiply-adds per image");
}

}  // namespace

const char* name_of(Op op) {
  return rule_of(op).name;
}

int input_count(Op op) {
  return rule_of(op).inputs;
}

const std::vector<std::string>& op_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const OpRule& rule : rules) all.push_back(rule.name);
    return all;
  }();
  return names;
}

void check_id(const std::string& id) {
  const auto allowed = [](char ch) {
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '_' ||
           ch == '.' || ch == '/' || ch == '-';
  };
  if (id.empty() || id.size() > 200 || !std::all_of(id.begin(), id.end(), allowed))
    throw Error(2104, "bad node id " + quote(id), "use 1 to 200 letters, digits, '_', '.', '/' or '-'");
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
    rule_of(node.op).infer(node, in);
    check_range(node, "output height", node.h, 1, max_axis);
    check_range(node, "output width", node.w, 1, max_axis);
    check_tensor(node, "its output", double(node.h * node.w) * double(node.c));
  }
  check_all_read(*this);
  check_totals(*this);
}

}  // namespace eb::engine
