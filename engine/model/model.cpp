#include "engine/model/model.h"

#include <algorithm>
#include <stdexcept>

#include "engine/bfp/block_arena.h"
#include "engine/graph/op_spec.h"
#include "engine/model/plan.h"
#include "engine/ops/elementwise.h"
#include "engine/tensor/autograd.h"
#include "kernels/elementwise.h"

namespace eb::engine {

class Plan {
 public:
  std::vector<Step> steps;
  std::vector<NodeWeights> weights;  // by node
  std::vector<Tensor> leaves;        // by parameter
};

namespace {

constexpr int64_t alignment = 16;  // floats: 64 bytes

struct Layout {
  std::vector<Parameter> parameters;
  int64_t size = 0;

  void add(const Graph& g, int node, ParameterSpec p) {
    const int64_t count = element_count(p.shape);
    parameters.push_back(
        {g.nodes[node].id + p.suffix, p.kind, node, std::move(p.shape), size, count, p.first, p.last});
    size += (count + alignment - 1) / alignment * alignment;
  }
};

Layout layout_of(const Graph& g) {
  Layout l;
  for (int i = 0; i < static_cast<int>(g.nodes.size()); ++i)
    for (ParameterSpec& p : parameters_of(g, g.nodes[i])) l.add(g, i, std::move(p));
  return l;
}

void attach(NodeWeights& w, Parameter::Kind kind, const Tensor& leaf) {
  switch (kind) {
    case Parameter::Kind::conv_weight:
    case Parameter::Kind::linear_weight:
      w.conv.w = leaf;
      break;
    case Parameter::Kind::bias:
      w.conv.b = leaf;
      break;
    case Parameter::Kind::bn_gamma:
      w.gamma = leaf;
      break;
    case Parameter::Kind::bn_beta:
      w.beta = leaf;
      break;
  }
}

}  // namespace

Model::Model(Graph graph, DType compute, Device device)
    : graph_(std::move(graph)), compute_(compute), device_(device), plan_(std::make_unique<Plan>()) {
  if (compute != DType::f32 && compute != DType::bf16)
    throw std::logic_error("[model] compute must be f32 or bf16");
  graph_.infer_shapes();
  Layout layout = layout_of(graph_);
  parameters_ = std::move(layout.parameters);
  for (Tensor* arena : {&values_, &gradients_, &momentum_})
    *arena = Tensor::zeros({layout.size}, DType::f32, device);
  if (compute == DType::bf16) working_ = Tensor::zeros({layout.size}, DType::bf16, device);
  make_statistics();
  build_plan();
}

void Model::make_statistics() {
  const auto room = [](int64_t c) { return (c + alignment - 1) / alignment * alignment; };
  int64_t size = 0;
  for (int bn : graph_.bn_nodes()) size += 2 * room(graph_.nodes[bn].c);
  statistics_ = Tensor::zeros({size}, DType::f32, device_);
  auto* at = statistics_.data<float>();
  for (int bn : graph_.bn_nodes()) {
    const int64_t c = graph_.nodes[bn].c;
    running_[bn] = {Tensor::view(at, {c}, DType::f32, device_),
                    Tensor::view(at + room(c), {c}, DType::f32, device_)};
    kernels::elementwise(device_).fill({DType::f32, c}, 1.f, running_[bn].var.raw());
    at += 2 * room(c);
  }
}

Tensor Model::statistics_momentum() const {
  std::vector<float> all(static_cast<size_t>(statistics_.size()));
  for (const Step& s : plan_->steps) {
    const auto found = running_.find(s.node);
    if (found == running_.end()) continue;
    const Node& n = graph_.nodes[s.node];
    const auto place_of = [&](const Tensor& running) {
      return &all[static_cast<size_t>(running.data<float>() - statistics_.data<float>())];
    };
    float *mean = place_of(found->second.mean), *var = place_of(found->second.var);
    const Node* select =
        s.select >= 0 && !graph_.nodes[s.select].select_all ? &graph_.nodes[s.select] : nullptr;
    for (int64_t i = 0; i < (select ? static_cast<int64_t>(select->select.size()) : n.c); ++i) {
      const int64_t channel = select ? select->select[static_cast<size_t>(i)] : i;
      mean[channel] = var[channel] = n.momentum;
    }
  }
  const Tensor t = Tensor::empty(statistics_.shape(), DType::f32, device_);
  kernels::memory(device_).to_device(t.raw(), all.data(), t.bytes());
  return t;
}

void Model::set_tail(int64_t floats) {
  const int64_t size = values_.size();
  const Tensor all = Tensor::zeros({size + floats}, DType::f32, device_);
  const auto keep = std::make_shared<Tensor>(all);
  gradients_ = Tensor::view(all.raw(), {size}, DType::f32, device_, keep);
  tail_ = Tensor::view(all.data<float>() + size, {floats}, DType::f32, device_, keep);
  build_plan();
}

Tensor Model::gradients_and_tail() const {
  return Tensor::view(gradients_.raw(), {gradients_.size() + tail_.size()}, DType::f32, device_,
                      std::make_shared<Tensor>(gradients_));
}

Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

void Model::build_plan() {
  plan_->steps = make_steps(graph_, fused_);
  plan_->weights.assign(graph_.nodes.size(), {});
  plan_->leaves.clear();
  for (const Parameter& p : parameters_) {
    const bool narrow = p.is_weight() && compute_ == DType::bf16;
    void* data = narrow ? static_cast<void*>(working_.data<bf16>() + p.offset) : value(p);
    const Tensor leaf = parameter(Tensor::view(data, p.shape, narrow ? DType::bf16 : DType::f32, device_),
                                  Tensor::view(gradient(p), p.shape, DType::f32, device_));
    plan_->leaves.push_back(leaf);
    attach(plan_->weights[p.node], p.kind, leaf);
  }
  if (blocks_ && blocks_->precision.conv_inputs)
    for (size_t i = 0; i < parameters_.size(); ++i)
      if (parameters_[i].kind == Parameter::Kind::conv_weight) {
        Conv2dWeights& w = plan_->weights[parameters_[i].node].conv;
        w.codes = blocks_->codes_of(arenas(), i);
        w.backward_codes = blocks_->backward_codes_of(arenas(), i);
      }
  for (auto& [bn, stats] : running_) {
    plan_->weights[bn].running_mean = stats.mean;
    plan_->weights[bn].running_var = stats.var;
  }
  for (size_t i = 0; i < graph_.nodes.size(); ++i)
    if (const Node& n = graph_.nodes[i]; n.op == Op::select && !n.select_all)
      plan_->weights[i].select = list_tensor(n.select, device_);
}

void Model::set_precision(const Precision& precision) {
  blocks_ = precision.quantized ? std::make_unique<BlockModel>(arenas(), precision) : nullptr;
  build_plan();
  values_changed();
}

void Model::set_fused(bool fused) {
  fused_ = fused;
  build_plan();
}

void Model::check_input(const Tensor& x) const {
  const Node& in = graph_.nodes[0];
  if (x.shape().size() != 4 || x.dim(0) < 1 || x.dim(1) != in.h || x.dim(2) != in.w || x.dim(3) != in.c ||
      x.dtype() != compute_)
    throw std::logic_error("[model] got x " + to_string(x.shape()) + " " + kernels::name_of(x.dtype()) +
                           ", want (N, " + std::to_string(in.h) + ", " + std::to_string(in.w) + ", " +
                           std::to_string(in.c) + ") " + kernels::name_of(compute_));
}

Tensor Model::forward(const Tensor& x, Mode mode) {
  check_input(x);
  if (mode == Mode::infer) {
    const NoGrad no_grad;
    return run(x, {});
  }
  forget_gradients();
  return run(x, {.train = true});
}

// Every node reaches the output (infer_shapes refuses others), so one pass writes every gradient anew.
void Model::forget_gradients() {
  for (const Tensor& leaf : plan_->leaves) leaf.node()->written = false;
}

// A batch norm with this momentum leaves (share * statistic) where there was 0.
Tensor Model::forward_part(const Tensor& x, int64_t first, int64_t total) {
  check_input(x);
  forget_gradients();
  const double share = static_cast<double>(x.dim(0)) / static_cast<double>(total);
  return run(x, {.train = true,
                 .bn_momentum = static_cast<float>(share),
                 .first_sample = first,
                 .statistics = statistics_.data<float>(),
                 .instead = tail_.data<float>()});
}

void Model::forward_statistics(const Tensor& x, float momentum) {
  check_input(x);
  const NoGrad no_grad;
  run(x, {.train = true, .bn_momentum = momentum});
}

Tensor Model::run(const Tensor& x, RunOptions options) {
  options.deterministic = deterministic;
  options.blocks = blocks_.get();
  options.step = step_;
  options.evaluation = evaluation_;
  options.conv = conv.get();
  const Tensor y = run_steps(graph_, plan_->steps, plan_->weights, x, options);
  return cast(y.reshape({y.dim(0), y.size() / y.dim(0)}), DType::f32);
}

const Parameter* Model::find(int node, Parameter::Kind kind) const {
  for (const Parameter& p : parameters_)
    if (p.node == node && p.kind == kind) return &p;
  return nullptr;
}

std::vector<float> Model::host_value(const Parameter& p) const {
  std::vector<float> v(static_cast<size_t>(p.count));
  kernels::memory(device_).to_host(v.data(), value(p), v.size() * sizeof(float));
  return v;
}

int64_t Model::parameter_count() const {
  int64_t n = 0;
  for (const Parameter& p : parameters_) n += p.count;
  return n;
}

void Model::zero_grad() {
  kernels::memory(device_).zero(gradients_.raw(), gradients_.bytes());
  forget_gradients();
}

void Model::values_changed(bool refresh_copies) {
  if (refresh_copies && blocks_) blocks_->encode(arenas());
  if (refresh_copies && working_.defined())
    kernels::elementwise(device_).cast(values_.size(), DType::f32, values_.raw(), DType::bf16,
                                       working_.raw());
  for (NodeWeights& w : plan_->weights) w.conv.values_changed();
}

}  // namespace eb::engine
