#include "tools/export/torch_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "tools/export/torch_op.h"

namespace eb::tools {

using engine::Graph;
using engine::Node;
using Kind = TorchModule::Kind;
using Layout = TorchOp::Layout;

[[noreturn]] static void refuse(const std::string& id, const std::string& why) {
  throw Error(errors::export_unsupported,
              fmt::format("node \"{}\" cannot be a module of PyTorch: {}", id, why),
              "give the node another id in model.graph");
}

// What nn.Module and nn.ModuleDict are made of themselves.
static bool is_taken(const std::string& name) {
  static const std::unordered_set<std::string> taken = {"T_destination",
                                                        "add_module",
                                                        "apply",
                                                        "bfloat16",
                                                        "buffers",
                                                        "call_super_init",
                                                        "children",
                                                        "clear",
                                                        "compile",
                                                        "cpu",
                                                        "cuda",
                                                        "double",
                                                        "dump_patches",
                                                        "eval",
                                                        "extra_repr",
                                                        "float",
                                                        "forward",
                                                        "get_buffer",
                                                        "get_extra_state",
                                                        "get_parameter",
                                                        "get_submodule",
                                                        "half",
                                                        "ipu",
                                                        "items",
                                                        "keys",
                                                        "load_state_dict",
                                                        "modules",
                                                        "mtia",
                                                        "named_buffers",
                                                        "named_children",
                                                        "named_modules",
                                                        "named_parameters",
                                                        "parameters",
                                                        "pop",
                                                        "register_buffer",
                                                        "register_module",
                                                        "requires_grad_",
                                                        "set_extra_state",
                                                        "set_submodule",
                                                        "share_memory",
                                                        "state_dict",
                                                        "to",
                                                        "to_empty",
                                                        "train",
                                                        "training",
                                                        "type",
                                                        "update",
                                                        "values",
                                                        "xpu",
                                                        "zero_grad",
                                                        "register_parameter"};
  return taken.count(name) > 0 || name.starts_with("_");
}

bool is_python_name(const std::string& name) {
  static const std::unordered_set<std::string> keywords = {
      "False", "None", "True",  "and",    "as",   "assert", "async",  "await",    "break",
      "class", "def",  "del",   "elif",   "else", "except", "for",    "continue", "finally",
      "from",  "if",   "in",    "global", "is",   "lambda", "import", "nonlocal", "not",
      "or",    "pass", "raise", "return", "try",  "while",  "with",   "yield"};
  const auto allowed = [](unsigned char c) { return c == '_' || (c < 128 && std::isalnum(c)); };
  return !name.empty() && !std::isdigit(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), allowed) && !keywords.count(name);
}

static std::vector<std::string> split(const std::string& id) {
  std::vector<std::string> parts(1);
  for (const char c : id)
    if (c == '.')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

static TorchModule& container_of(TorchModule& parent, const std::string& name) {
  const auto [at, fresh] = parent.containers.try_emplace(name, parent.children.size());
  if (fresh) {
    TorchModule m;
    m.name = name;
    m.path = parent.path.empty() ? name : parent.path + "." + name;
    m.kind = Kind::names;
    parent.children.push_back(std::move(m));
  }
  return parent.children[at->second];
}

static void insert(TorchModule& root, const Graph& g, int node,
                   const std::unordered_set<std::string>& stateful) {
  const Node& n = g.nodes[node];
  const std::vector<std::string> parts = split(n.id);
  TorchModule* at = &root;
  for (size_t i = 0; i < parts.size(); ++i) {
    at->nodes.push_back(node);
    at->stateful |= has_state(n);
    if (has_state(n) && (parts[i].empty() || is_taken(parts[i])))
      refuse(n.id, parts[i].empty() ? "a part of its id is empty"
                                    : fmt::format("nn.Module needs the name \"{}\" itself", parts[i]));
    if (has_state(n) && at != &root && stateful.count(at->path))
      refuse(n.id, fmt::format("\"{}\" is a layer already", at->path));
    if (i + 1 < parts.size()) at = &container_of(*at, parts[i]);
  }
  TorchModule leaf;
  leaf.name = parts.back();
  leaf.path = n.id;
  leaf.node = leaf.output = node;
  leaf.input = n.in[0];
  leaf.stateful = has_state(n);
  leaf.nodes = {node};
  at->children.push_back(std::move(leaf));
}

namespace {

// Finds out which prefixes can be called.
class Classifier {
 public:
  explicit Classifier(const Graph& g)
      : graph_(g), readers_(g.consumers()), flat_(flat_values(g)), inside_(g.nodes.size()) {}

  void classify(TorchModule& m) {
    for (TorchModule& child : m.children) classify(child);
    if (m.kind != Kind::names || !m.stateful || !find_ends(m)) return;
    m.kind = is_sequence(m) ? Kind::sequence : Kind::block;
  }

 private:
  // The only value that is read from outside, and the only one that is read outside; false if there are more.
  bool find_ends(TorchModule& m) {
    for (const int n : m.nodes) inside_[n] = true;
    std::unordered_set<int> in, out;
    for (const int n : m.nodes) {
      for (const int i : graph_.nodes[n].in)
        if (!inside_[i]) in.insert(i);
      const auto& readers = readers_[n];
      if (n == graph_.output ||
          !std::all_of(readers.begin(), readers.end(), [&](int r) { return inside_[r]; }))
        out.insert(n);
    }
    for (const int n : m.nodes) inside_[n] = false;
    if (in.size() != 1 || out.size() != 1) return false;
    m.input = *in.begin(), m.output = *out.begin();
    return true;
  }

  bool is_sequence(const TorchModule& m) const {
    int value = m.input;
    for (size_t i = 0; i < m.children.size(); ++i) {
      const TorchModule& child = m.children[i];
      if (child.name != std::to_string(i) || child.kind == Kind::names || child.input != value) return false;
      if (i > 0 && !all_readers_in(child, value)) return false;
      if (const int first = first_layer(child); first >= 0 && !takes(graph_.nodes[first], i == 0))
        return false;
      value = child.output;
    }
    return value == m.output;
  }

  bool all_readers_in(const TorchModule& m, int value) const {
    return value != graph_.output && std::all_of(readers_[value].begin(), readers_[value].end(), [&](int r) {
             return std::binary_search(m.nodes.begin(), m.nodes.end(), r);
           });
  }

  // As the value comes; before the first layer the code around can change its shape.
  bool takes(const Node& n, bool first) const {
    const TorchOp& op = torch_op(n);
    return op.layer &&
           (first || op.reads == Layout::as_it_comes || flat_[n.in[0]] == (op.reads == Layout::row));
  }

  const Graph& graph_;
  std::vector<std::vector<int>> readers_;
  std::vector<bool> flat_, inside_;
};

}  // namespace

TorchModule torch_tree(const Graph& g) {
  for (const Node& n : g.nodes) torch_op(n);  // refuses
  std::unordered_set<std::string> stateful;
  for (const Node& n : g.nodes)
    if (has_state(n)) stateful.insert(n.id);
  TorchModule root;
  for (size_t i = 1; i < g.nodes.size(); ++i) insert(root, g, static_cast<int>(i), stateful);
  Classifier(g).classify(root);
  root.kind = Kind::block;
  root.input = 0, root.output = g.output;
  return root;
}

int first_layer(const TorchModule& m) {
  return m.kind == Kind::sequence ? first_layer(m.children[0]) : m.node;
}

std::vector<bool> flat_values(const Graph& g) {
  std::vector<bool> flat(g.nodes.size());
  for (size_t i = 1; i < flat.size(); ++i) {
    const Node& n = g.nodes[i];
    const Layout writes = torch_op(n).writes;
    flat[i] =
        writes == Layout::row || (writes == Layout::as_it_comes &&
                                  std::any_of(n.in.begin(), n.in.end(), [&](int in) { return flat[in]; }));
  }
  return flat;
}

}  // namespace eb::tools
