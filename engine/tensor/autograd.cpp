#include "engine/tensor/autograd.h"

#include <atomic>
#include <map>
#include <stdexcept>

#include "kernels/elementwise.h"

namespace eb::engine {

namespace {

thread_local bool recording = true;
std::atomic<uint64_t> next_order{1};

// Adds in place; the order of calls is the order of the walk, so sums are reproducible.
void add_to(const Tensor& sum, const Tensor& t) {
  kernels::elementwise(sum.device()).add({sum.dtype(), sum.size()}, sum.raw(), t.raw(), sum.raw());
}

// A leaf's gradient lands in its arena slice; the closure may have written it there already.
void accumulate_leaf(TapeNode& leaf, const Tensor& g) {
  if (leaf.written) return add_to(leaf.grad, g);
  leaf.written = true;
  if (g.raw() == leaf.grad.raw()) return;
  kernels::elementwise(g.device()).cast(g.size(), g.dtype(), g.raw(), leaf.grad.dtype(), leaf.grad.raw());
}

// Gradients waiting for their node, newest node first.
using Pending = std::map<uint64_t, std::pair<std::shared_ptr<TapeNode>, Tensor>, std::greater<>>;

void accumulate(Pending& pending, const std::shared_ptr<TapeNode>& node, const Tensor& g) {
  if (!node->backward) return accumulate_leaf(*node, g);
  auto [it, fresh] = pending.try_emplace(node->order, node, g);
  if (fresh) return;
  Tensor& sum = it->second.second;
  // sum may be another consumer's gradient too: add passes dy on.
  Tensor total = reusable(sum);
  kernels::elementwise(sum.device()).add({sum.dtype(), sum.size()}, sum.raw(), g.raw(), total.raw());
  sum = std::move(total);
}

}  // namespace

// A loop, because a tape that was never walked is as deep as the network and the stack is not.
TapeNode::~TapeNode() {
  std::vector<std::shared_ptr<TapeNode>> dying = std::move(inputs);
  while (!dying.empty()) {
    const std::shared_ptr<TapeNode> node = std::move(dying.back());
    dying.pop_back();
    if (!node || node.use_count() > 1) continue;
    for (auto& input : node->inputs) dying.push_back(std::move(input));
    node->inputs.clear();
  }
}

NoGrad::NoGrad() : before_(recording) {
  recording = false;
}
NoGrad::~NoGrad() {
  recording = before_;
}

bool needs_grad(const Tensor& t) {
  return recording && t.node() != nullptr;
}

Tensor record(Tensor y, const std::vector<Tensor>& inputs, Backward backward) {
  bool any = false;
  for (const Tensor& t : inputs) any |= needs_grad(t);
  if (!any) return y;
  auto node = std::make_shared<TapeNode>();
  node->order = next_order++;
  node->backward = std::move(backward);
  for (const Tensor& t : inputs) node->inputs.push_back(t.node());
  y.set_node(std::move(node));
  return y;
}

Tensor parameter(Tensor value, Tensor grad) {
  auto leaf = std::make_shared<TapeNode>();
  leaf->order = next_order++;
  leaf->grad = std::move(grad);
  value.set_node(std::move(leaf));
  return value;
}

Tensor grad_buffer(const Tensor& t) {
  const auto& node = t.node();
  if (node && !node->backward && !node->written) return node->grad;
  return Tensor::empty(t.shape(), node && !node->backward ? node->grad.dtype() : t.dtype(), t.device());
}

Tensor reusable(const Tensor& dy) {
  return dy.unique() ? dy : Tensor::empty(dy.shape(), dy.dtype(), dy.device());
}

void backward(const Tensor& loss) {
  if (loss.size() != 1)
    throw std::logic_error("[backward] got " + to_string(loss.shape()) + ", want a scalar");
  if (!loss.node()) return;
  Pending pending;
  Tensor one = Tensor::empty(loss.shape(), loss.dtype(), loss.device());
  kernels::elementwise(loss.device()).fill({loss.dtype(), 1}, 1.f, one.raw());
  accumulate(pending, loss.node(), one);
  while (!pending.empty()) {
    auto [node, dy] = std::move(pending.extract(pending.begin()).mapped());
    std::vector<Tensor> grads = node->backward(dy);
    node->backward = [](const Tensor&) -> std::vector<Tensor> {
      throw std::logic_error("[backward] the tape was consumed by an earlier backward");
    };
    dy = Tensor();
    for (size_t i = 0; i < grads.size(); ++i)
      if (grads[i].defined() && node->inputs[i]) accumulate(pending, node->inputs[i], grads[i]);
    node->inputs.clear();
  }
}

}  // namespace eb::engine
