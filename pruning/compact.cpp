#include "pruning/compact.h"

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
  if (n.op == Op::bn) return {kept(axes.bn_axis(g, p.node)), nullptr};
  const auto follow = [&](Parameter::Axis axis) {
    return axis == Parameter::Axis::fixed
               ? nullptr
               : kept(axes.groups.of_node[axis == Parameter::Axis::output ? p.node : n.in[0]]);
  };
  return {follow(p.first), follow(p.last)};
}

// A Shrink's lists where the model lies; undefined keeps all.
struct Lists {
  Lists(const Shrink& s, Device device)
      : rows(s.rows ? list_tensor(*s.rows, device) : Tensor()),
        columns(s.columns ? list_tensor(*s.columns, device) : Tensor()) {}
  Tensor rows, columns;
};

void gather(const Parameter& from, const Parameter& to, const Lists& s, Device device, const float* x,
            float* y) {
  const bool weight = from.shape.size() == 4;
  const int64_t taps = weight ? from.shape[1] * from.shape[2] : 1, c = weight ? from.shape[3] : 1;
  kernels::gather(device).weight(
      {.k_out = to.shape[0], .taps = taps, .c_out = weight ? to.shape[3] : 1, .c = c},
      {.x = x, .out = s.rows.data<int32_t>(), .in = s.columns.data<int32_t>(), .y = y});
}

void gather(const Tensor& from, const Tensor& to, const Lists& s) {
  kernels::gather(from.device())
      .weight({.k_out = to.size()},
              {.x = from.data<float>(), .out = s.rows.data<int32_t>(), .y = to.data<float>()});
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
  small.run_like(model);
  for (const Parameter& p : model.parameters()) {
    const int node = small.graph().find(g.nodes[p.node].id);
    const Parameter& to = *small.find(node, p.kind);
    const Lists lists(shrink_of(g, axes, p), model.device());
    gather(p, to, lists, model.device(), model.value(p), small.value(to));
    if (momentum == MomentumRule::carry)
      gather(p, to, lists, model.device(), model.velocity(p), small.velocity(to));
    if (p.kind != Kind::bn_gamma) continue;
    gather(model.running(p.node).mean, small.running(node).mean, lists);
    gather(model.running(p.node).var, small.running(node).var, lists);
  }
  small.values_changed();
  return small;
}

Model clone(const Model& model) {
  Model copy(model.graph(), model.compute(), model.device());
  copy.run_like(model);
  copy.values().copy_from(model.values());
  copy.momentum().copy_from(model.momentum());
  for (int bn : model.graph().bn_nodes()) {
    copy.running(bn).mean.copy_from(model.running(bn).mean);
    copy.running(bn).var.copy_from(model.running(bn).var);
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
  for (const Tensor* arena : {&model.values(), &model.gradients(), &model.momentum()}) {
    const Tensor host = arena->to(Device::cpu);
    for_each_pruned(model.graph(), closed, [&](int bn, size_t c) {
      for (const Kind kind : {Kind::bn_gamma, Kind::bn_beta})
        host.data<float>()[model.find(bn, kind)->offset + static_cast<int64_t>(c)] = 0.f;
    });
    arena->copy_from(host);
  }
  model.values_changed();
}

}  // namespace eb::pruning
