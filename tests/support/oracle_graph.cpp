#include "support/oracle_graph.h"

#include <algorithm>

#include "kernels/elementwise.h"
#include "support/oracle_batch_norm.h"
#include "support/oracle_conv.h"
#include "support/oracle_pool2d.h"
#include "support/oracle_softmax_cross_entropy.h"

namespace eb::test {

using engine::Graph;
using engine::Model;
using engine::Node;
using engine::Op;
using engine::Parameter;
using engine::Tensor;
using kernels::DType;

Model random_model(Graph graph, DType compute, uint64_t seed) {
  Model model(std::move(graph), compute);
  for (size_t i = 0; i < model.parameters().size(); ++i) {
    const Parameter& p = model.parameters()[i];
    const bool weight = p.shape.size() == 4;
    const double fan = static_cast<double>(p.count / p.shape[0]);
    Doubles v = normal(p.count, seed * 1000 + i, 0, weight ? std::sqrt(2 / fan) : 0.3);
    for (double& g : v)
      if (p.kind == Parameter::Kind::bn_gamma) g = std::copysign(1 + std::abs(g), g + 0.4);
    std::copy(v.begin(), v.end(), model.value(p));
  }
  model.values_changed();
  return model;
}

Tensor random_images(const Model& model, int64_t n, uint64_t seed) {
  const Node& in = model.graph().nodes[0];
  const Values v(model.compute(), normal(n * in.h * in.w * in.c, seed));
  Tensor t = Tensor::empty({n, in.h, in.w, in.c}, model.compute());
  std::copy_n(static_cast<const char*>(v.data()), t.bytes(), static_cast<char*>(t.raw()));
  return t;
}

static SoftmaxCase loss_case(const Graph& graph, int64_t n) {
  const Node& out = graph.nodes[graph.output];
  return {"graph", n, out.h * out.w * out.c, 0.f};
}

Tensor some_labels(const Model& model, int64_t n) {
  const auto labels = loss_case(model.graph(), n).labels();
  Tensor t = Tensor::empty({n}, DType::i32);
  std::copy(labels.begin(), labels.end(), t.data<int32_t>());
  return t;
}

Doubles to_doubles(const Tensor& t) {
  Values v(t.dtype(), t.size());
  std::copy_n(static_cast<const char*>(t.raw()), t.bytes(), static_cast<char*>(v.data()));
  return v.get();
}

GraphOracle::GraphOracle(const Model& model, const Tensor& images, const Tensor& labels_)
    : graph(model.graph()),
      n(images.dim(0)),
      x(to_doubles(images)),
      labels(labels_.data<int32_t>(), labels_.data<int32_t>() + n) {
  for (const Parameter& p : model.parameters())
    parameters[p.name] = Doubles(model.value(p), model.value(p) + p.count);
}

namespace {

struct Pass {
  const GraphOracle& o;
  std::vector<Doubles> values;

  const Doubles& parameter(const Node& node, const char* suffix) const {
    static const Doubles none;
    const auto it = o.parameters.find(node.id + suffix);
    return it == o.parameters.end() ? none : it->second;
  }
  const Node& input(const Node& node, size_t i = 0) const { return o.graph.nodes[node.in[i]]; }
  const Doubles& value(const Node& node, size_t i = 0) const { return values[node.in[i]]; }
};

Doubles run_conv(const Pass& pass, const Node& node) {
  const Node& x = pass.input(node);
  const bool linear = node.op == Op::linear;  // a convolution whose kernel covers its input
  kernels::Conv2d::Params p{DType::f32, pass.o.n, x.h, x.w, x.c, node.c};
  p.r = linear ? x.h : node.kernel[0], p.s = linear ? x.w : node.kernel[1];
  p.stride_h = node.stride[0], p.stride_w = node.stride[1];
  p.pad_h = node.pad[0], p.pad_w = node.pad[1];
  p.groups = node.groups;
  return ConvOracle{p}.forward(pass.value(node), pass.parameter(node, ".weight"),
                               pass.parameter(node, ".bias"));
}

Doubles run_bn(const Pass& pass, const Node& node) {
  const BatchNormCase shape{"graph", pass.o.n * node.h * node.w, node.c};
  return BatchNormOracle{shape,
                         node.eps,
                         node.momentum,
                         pass.value(node),
                         pass.parameter(node, ".weight"),
                         pass.parameter(node, ".bias"),
                         {}}
      .forward()
      .y;
}

Doubles run_relu(const Pass& pass, const Node& node) {
  Doubles y = pass.value(node);
  for (double& v : y) v = std::max(v, 0.);
  return y;
}

Doubles run_add(const Pass& pass, const Node& node) {
  Doubles y = pass.value(node);
  for (size_t i = 0; i < y.size(); ++i) y[i] += pass.value(node, 1)[i];
  return y;
}

Doubles run_select(const Pass& pass, const Node& node) {
  const Doubles& x = pass.value(node);
  if (node.select_all) return x;
  const size_t c = static_cast<size_t>(pass.input(node).c);
  Doubles y;
  for (size_t row = 0; row < x.size() / c; ++row)
    for (int32_t i : node.select) y.push_back(x[row * c + static_cast<size_t>(i)]);
  return y;
}

Doubles run_pool(const Pass& pass, const Node& node) {
  const Node& x = pass.input(node);
  Pool2dCase p{"graph",        pass.o.n,       x.h,         x.w,        x.c, node.kernel[0], node.kernel[1],
               node.stride[0], node.stride[1], node.pad[0], node.pad[1]};
  if (node.op == Op::global_avg_pool) p.r = p.stride_h = x.h, p.s = p.stride_w = x.w, p.pad_h = p.pad_w = 0;
  return node.op == Op::max_pool ? max_pool_oracle(p, pass.value(node)).y
                                 : avg_pool_oracle(p, pass.value(node));
}

using Run = Doubles (*)(const Pass&, const Node&);
constexpr engine::OpRow<Run> runs[] = {
    {Op::input, nullptr},     {Op::conv, run_conv},     {Op::bn, run_bn},
    {Op::relu, run_relu},     {Op::add, run_add},       {Op::select, run_select},
    {Op::max_pool, run_pool}, {Op::avg_pool, run_pool}, {Op::global_avg_pool, run_pool},
    {Op::linear, run_conv},
};
static_assert(engine::covers_every_op(runs));

Doubles run(const Pass& pass, const Node& node) {
  if (const Run* run = engine::find_row(runs, node.op)) return (*run)(pass, node);
  return pass.o.outside(node, pass.value(node), pass.parameter(node, ".weight"));
}

}  // namespace

Doubles GraphOracle::logits() const {
  Pass pass{*this, {x}};
  for (size_t i = 1; i < graph.nodes.size(); ++i) pass.values.push_back(run(pass, graph.nodes[i]));
  return pass.values[graph.output];
}

double GraphOracle::loss() const {
  return softmax_cross_entropy_oracle(loss_case(graph, n), logits()).loss;
}

Doubles GraphOracle::gradient(const std::string& name) const {
  GraphOracle moved = *this;
  const auto loss_at = [&](const Doubles& v) {
    moved.parameters[name] = v;
    return Doubles{moved.loss()};
  };
  return numeric_gradient(loss_at, parameters.at(name), {1.});
}

}  // namespace eb::test
