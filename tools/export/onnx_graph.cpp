// One function for each op, and one table of them. Values are (N, C, H, W) throughout: a linear layer
// flattens what it reads and, if somebody reads it, gets its height and width of 1 back.
#include "tools/export/onnx_graph.h"

#include <fmt/format.h>

#include <set>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/graph/op_spec.h"

namespace eb::tools {

using namespace engine;

namespace {

struct Writer {
  Writer(const Model& model, bool fold_bn)
      : graph(model.graph()), values(state_dict(model)), names(graph.nodes.size()) {
    if (fold_bn) folds = foldable(graph);
    for (const auto& [bn, conv] : folds) {
      fold_batch_norm(values, graph.nodes[conv], graph.nodes[bn]);
      biased.insert(conv);
    }
  }

  std::string read(const Node& n, int k = 0) const { return names[n.in[k]]; }

  std::string emit(const std::string& op, const Node& n, std::vector<std::string> in,
                   std::vector<OnnxAttribute> attributes = {}) {
    out.nodes.push_back({op, n.id, std::move(in), n.id + ":out", std::move(attributes)});
    return n.id + ":out";
  }

  std::string tensor(const Node& n, const char* what) {
    const std::string name = n.id + what;
    const Tensor& t = values.at(name);
    out.tensors.push_back({name, t.shape(), {}, t});
    return name;
  }

  std::string integers(const std::string& name, std::vector<int64_t> list) {
    const int64_t count = static_cast<int64_t>(list.size());
    out.tensors.push_back({name, {count}, std::move(list), {}});
    return name;
  }

  void flatten(const Node& n, const std::string& in, const std::string& to) {
    out.nodes.push_back({"Flatten", n.id + ":flatten", {in}, to, {{"axis", int64_t{1}}}});
  }

  const Graph& graph;
  std::map<std::string, Tensor> values;
  std::map<int, int> folds;        // batch norm -> convolution
  std::set<int> biased;            // convolutions that folding gave a bias
  std::vector<std::string> names;  // of the nodes' values
  OnnxGraph out;
};

std::vector<OnnxAttribute> window(const Node& n) {
  using List = std::vector<int64_t>;
  return {{"kernel_shape", List{n.kernel[0], n.kernel[1]}},
          {"strides", List{n.stride[0], n.stride[1]}},
          {"pads", List{n.pad[0], n.pad[1], n.pad[0], n.pad[1]}}};
}

std::string input(Writer&, const Node&, int) {
  return "input";
}

std::string conv(Writer& w, const Node& n, int i) {
  std::vector<std::string> in = {w.read(n), w.tensor(n, ".weight")};
  if (n.bias || w.biased.count(i)) in.push_back(w.tensor(n, ".bias"));
  auto attributes = window(n);
  attributes.push_back({"group", n.groups});
  return w.emit("Conv", n, std::move(in), std::move(attributes));
}

// ONNX counts the share of the running value that stays, we (and PyTorch) the share of the new one.
std::string batch_norm(Writer& w, const Node& n, int i) {
  if (w.folds.count(i)) return w.read(n);
  return w.emit("BatchNormalization", n,
                {w.read(n), w.tensor(n, ".weight"), w.tensor(n, ".bias"), w.tensor(n, ".running_mean"),
                 w.tensor(n, ".running_var")},
                {{"epsilon", n.eps}, {"momentum", 1 - n.momentum}, {"training_mode", int64_t{0}}});
}

std::string relu(Writer& w, const Node& n, int) {
  return w.emit("Relu", n, {w.read(n)});
}

std::string add(Writer& w, const Node& n, int) {
  return w.emit("Add", n, {w.read(n), w.read(n, 1)});
}

std::string select(Writer& w, const Node& n, int) {
  if (n.select_all) return w.read(n);
  const std::vector<int64_t> kept(n.select.begin(), n.select.end());
  return w.emit("Gather", n, {w.read(n), w.integers(n.id + ".indices", kept)}, {{"axis", int64_t{1}}});
}

std::string max_pool(Writer& w, const Node& n, int) {
  return w.emit("MaxPool", n, {w.read(n)}, window(n));
}

std::string average_pool(Writer& w, const Node& n, int) {
  auto attributes = window(n);
  attributes.push_back({"count_include_pad", int64_t{1}});
  return w.emit("AveragePool", n, {w.read(n)}, std::move(attributes));
}

std::string global_pool(Writer& w, const Node& n, int) {
  return w.emit("GlobalAveragePool", n, {w.read(n)});
}

std::string linear(Writer& w, const Node& n, int i) {
  const bool last = i == w.graph.output;
  const std::string row = n.id + ":row", product = last ? "logits" : n.id + ":vector";
  w.flatten(n, w.read(n), row);
  std::vector<std::string> in = {row, w.tensor(n, ".weight")};
  if (n.bias) in.push_back(w.tensor(n, ".bias"));
  w.out.nodes.push_back({"Gemm", n.id, std::move(in), product, {{"transB", int64_t{1}}}});
  if (last) return product;
  const std::string axes = w.integers(n.id + ":axes", {2, 3}), shaped = n.id + ":out";
  w.out.nodes.push_back({"Unsqueeze", n.id + ":unsqueeze", {product, axes}, shaped, {}});
  return shaped;
}

// Writes the node and returns the name of its value.
using WriteOp = std::string (*)(Writer&, const Node&, int);

constexpr OpRow<WriteOp> onnx_ops[] = {{Op::input, input},
                                       {Op::conv, conv},
                                       {Op::bn, batch_norm},
                                       {Op::relu, relu},
                                       {Op::add, add},
                                       {Op::select, select},
                                       {Op::max_pool, max_pool},
                                       {Op::avg_pool, average_pool},
                                       {Op::global_avg_pool, global_pool},
                                       {Op::linear, linear}};
static_assert(covers_every_op(onnx_ops));

WriteOp row_of(const Node& n) {
  if (const WriteOp* write = find_row(onnx_ops, n.op)) return *write;
  throw Error(errors::export_unknown_op,
              fmt::format("node \"{}\": the op \"{}\" has no form in ONNX", n.id, n.op->name),
              "other ops in model.graph");
}

}  // namespace

OnnxGraph onnx_graph(const Model& model, bool fold_bn) {
  const Graph& g = model.graph();
  Writer w(model, fold_bn);
  const Node &first = g.nodes[0], &last = g.nodes[g.output];
  w.out.input = {first.c, first.h, first.w};
  w.out.classes = last.c;
  for (int i = 0; i < static_cast<int>(g.nodes.size()); ++i)
    w.names[i] = row_of(g.nodes[i])(w, g.nodes[i], i);
  if (last.op != Op::linear) w.flatten(last, w.names[g.output], "logits");
  return std::move(w.out);
}

}  // namespace eb::tools
