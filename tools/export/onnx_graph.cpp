// One function for each op. Values are (N, C, H, W) throughout: a linear layer flattens what it reads and, if
// somebody reads it, gets its height and width of 1 back.
#include "tools/export/onnx_graph.h"

#include <set>
#include <stdexcept>

namespace eb::tools {

using namespace engine;

namespace {

class Writer {
 public:
  Writer(const Model& model, bool fold_bn)
      : graph_(model.graph()), values_(state_dict(model)), names_(graph_.nodes.size()) {
    if (fold_bn) folds_ = foldable(graph_);
    for (const auto& [bn, conv] : folds_) {
      fold_batch_norm(values_, graph_.nodes[conv], graph_.nodes[bn]);
      biased_.insert(conv);
    }
  }
  OnnxGraph write() {
    const Node &first = graph_.nodes[0], &last = graph_.nodes[graph_.output];
    out_.input = {first.c, first.h, first.w};
    out_.classes = last.c;
    for (size_t i = 0; i < graph_.nodes.size(); ++i) names_[i] = write_node(static_cast<int>(i));
    if (last.op != Op::linear) flatten(last, names_[graph_.output], "logits");
    return std::move(out_);
  }

 private:
  // The name of the node's value.
  std::string write_node(int i) {
    const Node& n = graph_.nodes[i];
    switch (n.op) {
      case Op::input:
        return "input";
      case Op::conv:
        return conv(n, i);
      case Op::bn:
        return folds_.count(i) ? read(n) : batch_norm(n);
      case Op::relu:
        return emit("Relu", n, {read(n)});
      case Op::add:
        return emit("Add", n, {read(n), read(n, 1)});
      case Op::select:
        return n.select_all ? read(n) : gather(n);
      case Op::max_pool:
        return emit("MaxPool", n, {read(n)}, window(n));
      case Op::avg_pool:
        return average_pool(n);
      case Op::global_avg_pool:
        return emit("GlobalAveragePool", n, {read(n)});
      case Op::linear:
        return linear(n, i);
    }
    throw std::logic_error("an op that has no ONNX form");
  }

  std::string read(const Node& n, int k = 0) const { return names_[n.in[k]]; }

  std::string emit(const std::string& op, const Node& n, std::vector<std::string> in,
                   std::vector<OnnxAttribute> attributes = {}) {
    out_.nodes.push_back({op, n.id, std::move(in), n.id + ":out", std::move(attributes)});
    return n.id + ":out";
  }

  std::string tensor(const Node& n, const char* what) {
    const std::string name = n.id + what;
    const Tensor& t = values_.at(name);
    out_.tensors.push_back({name, t.shape(), {}, t});
    return name;
  }

  std::string integers(const std::string& name, std::vector<int64_t> list) {
    const int64_t count = static_cast<int64_t>(list.size());
    out_.tensors.push_back({name, {count}, std::move(list), {}});
    return name;
  }

  static std::vector<OnnxAttribute> window(const Node& n) {
    using List = std::vector<int64_t>;
    return {{"kernel_shape", List{n.kernel[0], n.kernel[1]}},
            {"strides", List{n.stride[0], n.stride[1]}},
            {"pads", List{n.pad[0], n.pad[1], n.pad[0], n.pad[1]}}};
  }

  std::string conv(const Node& n, int i) {
    std::vector<std::string> in = {read(n), tensor(n, ".weight")};
    if (n.bias || biased_.count(i)) in.push_back(tensor(n, ".bias"));
    auto attributes = window(n);
    attributes.push_back({"group", n.groups});
    return emit("Conv", n, std::move(in), std::move(attributes));
  }

  // ONNX counts the share of the running value that stays, we (and PyTorch) the share of the new one.
  std::string batch_norm(const Node& n) {
    return emit("BatchNormalization", n,
                {read(n), tensor(n, ".weight"), tensor(n, ".bias"), tensor(n, ".running_mean"),
                 tensor(n, ".running_var")},
                {{"epsilon", n.eps}, {"momentum", 1 - n.momentum}, {"training_mode", int64_t{0}}});
  }

  std::string gather(const Node& n) {
    const std::vector<int64_t> kept(n.select.begin(), n.select.end());
    return emit("Gather", n, {read(n), integers(n.id + ".indices", kept)}, {{"axis", int64_t{1}}});
  }

  std::string average_pool(const Node& n) {
    auto attributes = window(n);
    attributes.push_back({"count_include_pad", int64_t{1}});
    return emit("AveragePool", n, {read(n)}, std::move(attributes));
  }

  void flatten(const Node& n, const std::string& in, const std::string& out) {
    out_.nodes.push_back({"Flatten", n.id + ":flatten", {in}, out, {{"axis", int64_t{1}}}});
  }

  std::string linear(const Node& n, int i) {
    const std::string row = n.id + ":row", product = i == graph_.output ? "logits" : n.id + ":vector";
    flatten(n, read(n), row);
    std::vector<std::string> in = {row, tensor(n, ".weight")};
    if (n.bias) in.push_back(tensor(n, ".bias"));
    out_.nodes.push_back({"Gemm", n.id, std::move(in), product, {{"transB", int64_t{1}}}});
    if (i == graph_.output) return product;
    const std::string axes = integers(n.id + ":axes", {2, 3}), shaped = n.id + ":out";
    out_.nodes.push_back({"Unsqueeze", n.id + ":unsqueeze", {product, axes}, shaped, {}});
    return shaped;
  }

  const Graph& graph_;
  std::map<std::string, Tensor> values_;
  std::map<int, int> folds_;        // batch norm -> convolution
  std::set<int> biased_;            // convolutions that folding gave a bias
  std::vector<std::string> names_;  // of the nodes' values
  OnnxGraph out_;
};

}  // namespace

OnnxGraph onnx_graph(const Model& model, bool fold_bn) {
  return Writer(model, fold_bn).write();
}

}  // namespace eb::tools
