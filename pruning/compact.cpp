#include "pruning/compact.h"

#include <cstring>

#include "kernels/gather.h"
#include "pruning/compact_axes.h"

namespace eb::pruning {

using namespace engine;
using Kind = Parameter::Kind;

namespace {

// How one parameter shrinks: its rows, and its innermost channels. Null keeps all.
struct Shrink {
  const std::vector<int32_t>*rows = nullptr, *columns = nullptr;
};

Shrink shrink_of(const Graph& g, const Axes& axes, const Parameter& p) {
  const Node& n = g.nodes[p.node];
  const auto kept = [&](int group) { return axes.full(group) ? nullptr : &axes.kept[group]; };
  if (p.kind == Kind::bn_gamma || p.kind == Kind::bn_beta) return {kept(axes.bn_axis(g, p.node)), nullptr};
  if (p.kind == Kind::bias) return {kept(axes.groups.of_node[p.node]), nullptr};
  const auto* columns = kept(axes.groups.of_node[n.in[0]]);
  if (p.kind == Kind::linear_weight) return {nullptr, columns};
  return {kept(axes.groups.of_node[p.node]), n.groups == 1 ? columns : nullptr};
}

void gather(const Parameter& from, const Parameter& to, const Shrink& s, const float* x, float* y) {
  const bool weight = from.shape.size() == 4;
  const int64_t taps = weight ? from.shape[1] * from.shape[2] : 1, c = weight ? from.shape[3] : 1;
  kernels::gather(Device::cpu)
      .weight(to.shape[0], taps, weight ? to.shape[3] : 1, c, x, s.rows ? s.rows->data() : nullptr,
              s.columns ? s.columns->data() : nullptr, y);
}

std::vector<float> gathered(const std::vector<float>& x, const std::vector<int32_t>* rows) {
  if (!rows) return x;
  std::vector<float> y;
  for (int32_t r : *rows) y.push_back(x[static_cast<size_t>(r)]);
  return y;
}

void copy_arena(const Tensor& from, const Tensor& to) {
  std::memcpy(to.raw(), from.raw(), from.bytes());
}

// Calls visit(bn node, channel) for every pruned channel.
template <class Visit>
void for_each_pruned(const Graph& g, const Ticket& closed, Visit visit) {
  const auto bns = g.bn_nodes();
  for (size_t b = 0; b < bns.size(); ++b)
    for (size_t c = 0; c < closed.masks[b].keep.size(); ++c)
      if (!closed.masks[b].keep[c]) visit(bns[b], c);
}

}  // namespace

Model compact(const Model& model, const Ticket& closed, MomentumRule momentum) {
  const Graph& g = model.graph();
  const Axes axes(g, closed);
  Model small(compact_graph(g, closed), model.compute(), model.device());
  small.deterministic = model.deterministic;
  for (const Parameter& p : model.parameters()) {
    const int node = small.graph().find(g.nodes[p.node].id);
    const Parameter& to = *small.find(node, p.kind);
    const Shrink shrink = shrink_of(g, axes, p);
    gather(p, to, shrink, model.value(p), small.value(to));
    if (momentum == MomentumRule::carry) gather(p, to, shrink, model.velocity(p), small.velocity(to));
    if (p.kind != Kind::bn_gamma) continue;
    const RunningStats& stats = model.running(p.node);
    RunningStats& out = small.running(node);
    const auto mean = gathered(stats.mean, shrink.rows), var = gathered(stats.var, shrink.rows);
    std::copy(mean.begin(), mean.end(), out.mean.begin());  // in place: the plan holds pointers to them
    std::copy(var.begin(), var.end(), out.var.begin());
  }
  small.values_changed();
  return small;
}

Model clone(const Model& model) {
  Model copy(model.graph(), model.compute(), model.device());
  copy.deterministic = model.deterministic;
  copy_arena(model.values(), copy.values());
  copy_arena(model.momentum(), copy.momentum());
  for (int bn : model.graph().bn_nodes()) {
    const RunningStats& stats = model.running(bn);
    std::copy(stats.mean.begin(), stats.mean.end(), copy.running(bn).mean.begin());
    std::copy(stats.var.begin(), stats.var.end(), copy.running(bn).var.begin());
  }
  copy.values_changed();
  return copy;
}

Model masked_model(const Model& model, const Ticket& closed) {
  Model masked = clone(model);
  freeze_masked(masked, closed);
  return masked;
}

void freeze_masked(Model& model, const Ticket& closed) {
  for_each_pruned(model.graph(), closed, [&](int bn, size_t c) {
    for (const Kind kind : {Kind::bn_gamma, Kind::bn_beta}) {
      const Parameter& p = *model.find(bn, kind);
      model.value(p)[c] = model.gradient(p)[c] = model.velocity(p)[c] = 0.f;
    }
  });
  model.values_changed();
}

}  // namespace eb::pruning
