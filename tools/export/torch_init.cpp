// __init__: the modules of a class, in the graph's order.
#include <fmt/format.h>

#include "engine/base/error.h"
#include "tools/export/torch_class.h"

namespace eb::tools {

using engine::Graph;
using engine::Node;
using engine::Op;
using Kind = TorchModule::Kind;

std::string slot_mark(size_t slot) {
  return fmt::format("\x01{}\x02", slot);
}

std::string pair_text(const int64_t (&pair)[2]) {
  return pair[0] == pair[1] ? std::to_string(pair[0]) : fmt::format("({}, {})", pair[0], pair[1]);
}

static bool is_pair(const int64_t (&pair)[2], int64_t value) {
  return pair[0] == value && pair[1] == value;
}

std::string pool_arguments(const Node& n) {
  for (int axis : {0, 1})
    if (n.pad[axis] > n.kernel[axis] / 2)
      throw Error(2076,
                  fmt::format("node \"{}\" pads by {}: PyTorch's pools take at most half the kernel ({})",
                              n.id, n.pad[axis], n.kernel[axis]),
                  "a smaller pad in model.graph");
  std::string text = pair_text(n.kernel);
  if (n.stride[0] != n.kernel[0] || n.stride[1] != n.kernel[1])
    text += fmt::format(", stride={}", pair_text(n.stride));
  if (!is_pair(n.pad, 0)) text += fmt::format(", padding={}", pair_text(n.pad));
  return text;
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
    if (n.op == Op::conv || n.op == Op::linear)
      width_[i] = slot(local_name(i) + "_out", n.c);
    else if (n.op == Op::select)
      width_[i] = slot(local_name(i) + "_kept", n.c);
    else
      width_[i] = width_.at(n.in[0]);
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
    switch (n.op) {
      case Op::conv:
        return conv(i);
      case Op::bn:
        return batch_norm(i);
      case Op::linear:
        return linear(i);
      case Op::select:
        return fmt::format("ChannelSelect({}, {})", width_.at(n.in[0]), width_.at(i));
      case Op::relu:
        return "nn.ReLU()";
      case Op::max_pool:
        return fmt::format("nn.MaxPool2d({})", pool_arguments(n));
      case Op::avg_pool:
        return fmt::format("nn.AvgPool2d({})", pool_arguments(n));
      default:  // a global pool: sequences hold no additions
        return "nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())";
    }
  }

  std::string conv(int i) const {
    const Node& n = graph_.nodes[i];
    const auto stride = stride_.find(i);
    std::string text =
        fmt::format("nn.Conv2d({}, {}, {}", width_.at(n.in[0]), width_.at(i), pair_text(n.kernel));
    text += fmt::format(", stride={}", stride == stride_.end() ? pair_text(n.stride) : stride->second);
    if (!is_pair(n.pad, 0)) text += fmt::format(", padding={}", pair_text(n.pad));
    if (n.groups != 1) text += fmt::format(", groups={}", n.groups);
    return text + (n.bias ? ")" : ", bias=False)");
  }

  std::string batch_norm(int i) const {
    const Node& n = graph_.nodes[i];
    std::string text = fmt::format("nn.BatchNorm{}d({}", flat_[i] ? 1 : 2, width_.at(i));
    if (n.eps != 1e-5f) text += fmt::format(", eps={}", n.eps);
    if (n.momentum != 0.1f) text += fmt::format(", momentum={}", n.momentum);
    return text + ")";
  }

  std::string linear(int i) const {
    const Node &n = graph_.nodes[i], &x = graph_.nodes[n.in[0]];
    std::string in = width_.at(n.in[0]);
    if (x.h * x.w != 1) in += fmt::format(" * {}", x.h * x.w);
    return fmt::format("nn.Linear({}, {}{})", in, width_.at(i), n.bias ? "" : ", bias=False");
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
