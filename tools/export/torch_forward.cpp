// forward(): one statement for each stretch of layers that a person would write on one line.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tools/export/torch_class.h"
#include "tools/export/torch_op.h"

namespace eb::tools {

using engine::Graph;
using engine::Node;
using engine::Op;
using Kind = TorchModule::Kind;

std::string member(const std::string& parent, const TorchModule& child, bool of_dict) {
  if (of_dict) return fmt::format("{}[\"{}\"]", parent, child.name);
  if (is_python_name(child.name)) return fmt::format("{}.{}", parent, child.name);
  return fmt::format("getattr({}, \"{}\")", parent, child.name);
}

namespace {

// A call in the class: a layer, a sequence or a block.
struct Call {
  const TorchModule* module;
  std::string target;  // "self.layer1"
};

// A value on its way: the text that computes it, or the variable that holds it.
struct Value {
  std::string text;
  std::set<std::string> variables;  // that the text reads
  int readers = 0;                  // still to come
  bool is_sum = false;
};

class ForwardWriter {
 public:
  ForwardWriter(const Graph& g, const TorchModule& block, TorchClass& out)
      : graph_(g), block_(block), out_(out), flat_(flat_values(g)) {}

  void write() {
    collect(block_, "self", false);
    std::stable_sort(calls_.begin(), calls_.end(), [](const Call& a, const Call& b) {
      return a.module->nodes.front() < b.module->nodes.front();
    });
    for (const Call& call : calls_)
      for (const int in : inputs(call)) ++readers_[in], reader_[in] = &call;
    values_[block_.input] = {"x", {"x"}, readers_[block_.input], false};
    for (const Call& call : calls_) add(call);
    finish();
  }

 private:
  static constexpr size_t longest = 88;

  void collect(const TorchModule& m, const std::string& self, bool of_dict) {
    for (const TorchModule& child : m.children) {
      const std::string target = child.stateful ? member(self, child, of_dict) : "";
      if (child.kind == Kind::names)
        collect(child, target, true);
      else
        calls_.push_back({&child, target});
    }
  }

  std::vector<int> inputs(const Call& c) const {
    return c.module->node >= 0 ? graph_.nodes[c.module->node].in : std::vector<int>{c.module->input};
  }

  void add(const Call& call) {
    Value v = compute(call);
    const int out = call.module->output;
    v.readers = readers_[out];
    const bool last = out == block_.output;
    if (last ? v.readers > 0 : !stays_open(out, v)) assign(v);
    values_[out] = std::move(v);
  }

  // Written into the expression of its only reader, where that is no call worth a line of its own.
  bool stays_open(int out, const Value& v) const {
    if (v.readers != 1 || v.text.size() > longest - 24) return false;
    const TorchModule& reader = *reader_.at(out)->module;
    if (reader.node < 0) return false;
    return torch_op(graph_.nodes[reader.node]).reads != TorchOp::Layout::map;
  }

  // Of the variables that nobody reads any more, preferably one that was just read.
  void assign(Value& v) {
    std::set<std::string> used;
    for (const auto& [node, value] : values_) used.insert(value.variables.begin(), value.variables.end());
    std::string name;
    for (const std::string& own : v.variables)
      if (name.empty() && !used.count(own)) name = own;
    for (size_t i = 0; name.empty(); ++i) {
      const std::string next = i < 3 ? std::string(1, "xyz"[i]) : fmt::format("x{}", i);
      if (!used.count(next)) name = next;
    }
    out_.forward.push_back(fmt::format("{} = {}", name, v.text));
    v.text = name;
    v.variables = {name};
    v.is_sum = false;
  }

  // The operand's text; with its last reader it leaves the table.
  Value take(int node) {
    Value& v = values_.at(node);
    if (--v.readers > 0 || node == block_.output) return v;
    Value last = std::move(v);
    values_.erase(node);
    return last;
  }

  Value compute(const Call& call) {
    const TorchModule& m = *call.module;
    if (m.node >= 0 && graph_.nodes[m.node].op == Op::add) return sum(graph_.nodes[m.node]);
    Value v = take(inputs(call)[0]);
    v.text = applied(call, v);
    v.is_sum = false;
    return v;
  }

  std::string applied(const Call& call, const Value& v) const {
    const TorchModule& m = *call.module;
    const int first = first_layer(m);
    const std::string x = first >= 0 ? shaped(graph_.nodes[first], v) : v.text;
    if (m.node < 0 || m.stateful) return fmt::format("{}({})", call.target, x);
    const Node& n = graph_.nodes[m.node];
    return torch_op(n).call(n, x);
  }

  // As the layer wants it: vectors for linear layers, maps for convolutions and pools.
  std::string shaped(const Node& n, const Value& v) const {
    const bool flat = flat_[n.in[0]];
    const auto reads = torch_op(n).reads;
    if (reads == TorchOp::Layout::row && !flat) return fmt::format("torch.flatten({}, 1)", v.text);
    return reads == TorchOp::Layout::map && flat ? v.text + "[:, :, None, None]" : v.text;
  }

  Value sum(const Node& n) {
    Value a = take(n.in[0]), b = take(n.in[1]);
    if (flat_[n.in[0]] != flat_[n.in[1]]) {
      Value& map = flat_[n.in[0]] ? b : a;
      map.text = fmt::format("torch.flatten({}, 1)", map.text);
      map.is_sum = false;
    }
    a.text += b.is_sum ? fmt::format(" + ({})", b.text) : fmt::format(" + {}", b.text);
    a.variables.insert(b.variables.begin(), b.variables.end());
    a.is_sum = true;
    return a;
  }

  void finish() {
    Value v = values_.at(block_.output);
    if (block_.path.empty() && !flat_[block_.output]) v.text = fmt::format("torch.flatten({}, 1)", v.text);
    out_.forward.push_back(fmt::format("return {}", v.text));
  }

  const Graph& graph_;
  const TorchModule& block_;
  TorchClass& out_;
  const std::vector<bool> flat_;
  std::vector<Call> calls_;
  std::map<int, int> readers_;         // of each value, in this class
  std::map<int, const Call*> reader_;  // the last of them
  std::map<int, Value> values_;        // that somebody still reads
};

}  // namespace

void write_forward(const Graph& g, const TorchModule& block, TorchClass& out) {
  ForwardWriter(g, block, out).write();
}

}  // namespace eb::tools
