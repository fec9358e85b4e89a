// __init__: the modules of a class, in the graph's order.
#include <fmt/format.h>

#include "tools/export/torch_class.h"
#include "tools/export/torch_op.h"

namespace eb::tools {

using engine::Graph;
using engine::Node;
using engine::Op;
using Kind = TorchModule::Kind;

std::string slot_mark(size_t slot) {
  return fmt::format("\x01{}\x02", slot);
}

namespace {

class InitWriter {
 public:
  InitWriter(const Graph& g, const TorchModule& block, const BlockCalls& blocks, TorchClass& out)
      : graph_(g), block_(block), blocks_(blocks), out_(out), flat_(flat_values(g)) {}

  void write() {
    find_nested(block_);
    width_[block_.input] = slot("channels", graph_.nodes[block_.input].c);
    for (const int n : block_.nodes) find_width(n);
    for (const TorchModule& child : block_.children)
      if (child.stateful) add(child);
  }

 private:
  std::string slot(const std::string& name, int64_t value, bool stride = false) {
    out_.slots.push_back({name, std::to_string(value), stride});
    return slot_mark(out_.slots.size() - 1);
  }

  // "layer1.0.conv2" is "conv2" inside layer1.0.
  std::string local_name(int node) const {
    const std::string& id = graph_.nodes[node].id;
    std::string name = block_.path.empty() ? id : id.substr(block_.path.size() + 1);
    for (char& c : name)
      if (c == '.' || c == '-' || c == '/') c = '_';
    return name;
  }

  void find_nested(const TorchModule& m) {
    for (const TorchModule& child : m.children) {
      if (child.kind != Kind::block) {
        find_nested(child);
        continue;
      }
      for (const int n : child.nodes) nested_[n] = &child;
    }
  }

  // Channels of each value, as slots where a compaction may change them.
  void find_width(int i) {
    const Node& n = graph_.nodes[i];
    if (const auto at = nested_.find(i); at != nested_.end()) {
      if (i == at->second->output) width_[i] = slot(local_name(i) + "_out", n.c);
      return;
    }
    const char* channels = torch_op(n).channels;
    width_[i] = channels ? slot(local_name(i) + channels, n.c) : width_.at(n.in[0]);
    if (n.op == Op::conv && n.stride[0] == n.stride[1])
      stride_[i] = slot(local_name(i) + "_stride", n.stride[0], true);
  }

  void add(const TorchModule& child) {
    const std::string expression = construct(child, "");
    out_.init.push_back(is_python_name(child.name)
                            ? fmt::format("self.{} = {}", child.name, expression)
                            : fmt::format("self.add_module(\"{}\", {})", child.name, expression));
  }

  std::string construct(const TorchModule& m, const std::string& indent) const {
    const std::string deeper = indent + "    ";
    if (m.kind == Kind::layer) return layer(m.node);
    if (m.kind == Kind::block) return blocks_.at(&m);
    std::string text = m.kind == Kind::sequence ? "nn.Sequential(\n" : "nn.ModuleDict({\n";
    for (const TorchModule& child : m.children) {
      if (m.kind == Kind::sequence)
        text += fmt::format("{}{},\n", deeper, construct(child, deeper));
      else if (child.stateful)
        text += fmt::format("{}\"{}\": {},\n", deeper, child.name, construct(child, deeper));
    }
    return text + indent + (m.kind == Kind::sequence ? ")" : "})");
  }

  std::string layer(int i) const {
    const Node& n = graph_.nodes[i];
    const auto stride = stride_.find(i);
    return torch_op(n).layer({n, graph_.nodes[n.in[0]], width_.at(n.in[0]), width_.at(i),
                              stride == stride_.end() ? pair_text(n.stride) : stride->second, flat_[i]});
  }

  const Graph& graph_;
  const TorchModule& block_;
  const BlockCalls& blocks_;
  TorchClass& out_;
  const std::vector<bool> flat_;
  std::map<int, const TorchModule*> nested_;  // the inner block that a node belongs to
  std::map<int, std::string> width_, stride_;
};

}  // namespace

void write_init(const Graph& g, const TorchModule& block, const BlockCalls& blocks, TorchClass& out) {
  InitWriter(g, block, blocks, out).write();
}

TorchClass torch_class(const Graph& g, const TorchModule& block, const BlockCalls& blocks) {
  TorchClass out;
  write_init(g, block, blocks, out);
  write_forward(g, block, out);
  return out;
}

}  // namespace eb::tools
