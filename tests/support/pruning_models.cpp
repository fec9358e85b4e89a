#include "support/pruning_models.h"

#include <nlohmann/json.hpp>

#include "engine/graph/arch/arch.h"
#include "engine/ops/softmax_cross_entropy.h"
#include "engine/tensor/autograd.h"
#include "support/values.h"

namespace eb::test {

using namespace engine;

static Graph custom_graph() {
  return graph_from_json(nlohmann::json::parse(R"({
    "input": {"id": "x", "shape": [3, 16, 16]}, "output": "fc", "nodes": [
      {"id": "stem", "op": "conv", "in": ["x"], "out_channels": 12, "kernel": 3, "pad": 1, "bias": false},
      {"id": "pre", "op": "bn", "in": ["stem"]},
      {"id": "pre_relu", "op": "relu", "in": ["pre"]},
      {"id": "a", "op": "conv", "in": ["pre_relu"], "out_channels": 20, "kernel": 1, "bias": false},
      {"id": "a_bn", "op": "bn", "in": ["a"]},
      {"id": "a_relu", "op": "relu", "in": ["a_bn"]},
      {"id": "dw", "op": "conv", "in": ["a_relu"], "out_channels": 20, "kernel": 3, "pad": 1, "stride": 1, "groups": 20, "bias": false},
      {"id": "dw_bn", "op": "bn", "in": ["dw"]},
      {"id": "dw_relu", "op": "relu", "in": ["dw_bn"]},
      {"id": "b", "op": "conv", "in": ["dw_relu"], "out_channels": 12, "kernel": 1, "bias": false},
      {"id": "sum", "op": "add", "in": ["stem", "b"]},
      {"id": "c", "op": "conv", "in": ["sum"], "out_channels": 16, "kernel": 3, "pad": 1, "stride": 2, "bias": false},
      {"id": "c_bn", "op": "bn", "in": ["c"]},
      {"id": "c_relu", "op": "relu", "in": ["c_bn"]},
      {"id": "g", "op": "conv", "in": ["c_relu"], "out_channels": 16, "kernel": 3, "pad": 1, "groups": 4, "bias": false},
      {"id": "g_bn", "op": "bn", "in": ["g"]},
      {"id": "g_relu", "op": "relu", "in": ["g_bn"]},
      {"id": "d", "op": "conv", "in": ["g_relu"], "out_channels": 18, "kernel": 1, "bias": false},
      {"id": "d_bn", "op": "bn", "in": ["d"]},
      {"id": "d_relu", "op": "relu", "in": ["d_bn"]},
      {"id": "pool", "op": "max_pool", "in": ["d_relu"], "kernel": 2, "stride": 2},
      {"id": "fc", "op": "linear", "in": ["pool"], "out_channels": 5}
    ]})"));
}

Graph pruning_graph(const std::string& name) {
  if (name == "custom") {
    Graph g = custom_graph();
    g.infer_shapes();
    return g;
  }
  ArchOptions o;
  if (name == "vgg16") return o.width = 0.25, build_arch("vgg", o);
  if (name == "preresnet20") return o.depth = 20, build_arch("preresnet", o);
  o.depth = name == "resnet18" ? 18 : 50;
  o.width = name == "resnet18" ? 0.25 : 0.125;
  o.input[1] = o.input[2] = 64;
  return build_arch("resnet", o);
}

const std::vector<std::string>& pruning_graph_names() {
  static const std::vector<std::string> names = {"vgg16", "preresnet20", "resnet18", "resnet50", "custom"};
  return names;
}

Model pruning_model(const std::string& name, uint64_t seed) {
  Model m(pruning_graph(name), DType::f32);
  initialize(m, {}, seed);
  for (const Parameter& p : m.parameters()) {
    if (p.kind != Parameter::Kind::bn_gamma && p.kind != Parameter::Kind::bn_beta) continue;
    const bool gamma = p.kind == Parameter::Kind::bn_gamma;
    const Doubles v = normal(p.count, seed + static_cast<uint64_t>(p.offset), gamma ? 1.0 : 0, 0.25);
    for (int64_t i = 0; i < p.count; ++i) m.value(p)[i] = static_cast<float>(v[i]);
    if (!gamma) continue;
    const Doubles s = normal(2 * p.count, seed + 99 + static_cast<uint64_t>(p.offset));
    for (int64_t i = 0; i < p.count; ++i) {
      m.running(p.node).mean.data<float>()[i] = static_cast<float>(0.1 * s[i]);
      m.running(p.node).var.data<float>()[i] = static_cast<float>(0.5 + s[p.count + i] * s[p.count + i]);
    }
  }
  m.values_changed();
  return m;
}

Batch random_batch(const Graph& graph, int64_t n, uint64_t seed) {
  const Node& in = graph.nodes[0];
  Batch b{Tensor::empty({n, in.h, in.w, in.c}), Tensor::empty({n}, DType::i32), std::vector<int64_t>(n)};
  const Doubles v = normal(b.images.size(), seed);
  for (int64_t i = 0; i < b.images.size(); ++i) b.images.data<float>()[i] = static_cast<float>(v[i]);
  for (int64_t i = 0; i < n; ++i)
    b.labels.data<int32_t>()[i] = static_cast<int32_t>(i % graph.nodes[graph.output].c);
  return b;
}

double loss_and_gradients(Model& model, const Batch& batch) {
  const LossResult r = softmax_cross_entropy(model.forward(batch.images, Mode::train), batch.labels, 0.f);
  backward(r.loss);
  return r.value();
}

const std::string& tiny_graph_json() {
  static const std::string json = R"({
    "input": {"id": "x", "shape": [3, 8, 8]}, "output": "fc", "nodes": [
      {"id": "a", "op": "conv", "in": ["x"], "out_channels": 8, "kernel": 3, "pad": 1},
      {"id": "a_bn", "op": "bn", "in": ["a"]},
      {"id": "a_relu", "op": "relu", "in": ["a_bn"]},
      {"id": "b", "op": "conv", "in": ["a_relu"], "out_channels": 8, "kernel": 3, "pad": 1, "bias": false},
      {"id": "b_bn", "op": "bn", "in": ["b"]},
      {"id": "sum", "op": "add", "in": ["b_bn", "a_relu"]},
      {"id": "b_relu", "op": "relu", "in": ["sum"]},
      {"id": "c", "op": "conv", "in": ["b_relu"], "out_channels": 13, "kernel": 3, "pad": 1, "stride": 2},
      {"id": "c_bn", "op": "bn", "in": ["c"]},
      {"id": "c_relu", "op": "relu", "in": ["c_bn"]},
      {"id": "pool", "op": "max_pool", "in": ["c_relu"], "kernel": 2},
      {"id": "fc", "op": "linear", "in": ["pool"], "out_channels": 4}
    ]})";
  return json;
}

Graph tiny_graph() {
  Graph g = graph_from_json(nlohmann::json::parse(tiny_graph_json()));
  g.infer_shapes();
  return g;
}

}  // namespace eb::test
