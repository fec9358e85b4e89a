// Padding after compaction: tensor cores and 16-byte loads want channel counts in multiples of 8, tickets do
// not care. A padding channel has gamma = beta = 0, so its activation is zero and so is the gradient of what
// reads it; with those weights zero too, its own gradients are zero. Weight decay, momentum and L1 (sign(0) =
// 0) leave zeros alone, so the padded network is the ticket's, step after step.
#include <algorithm>

#include "pruning/compact_axes.h"

namespace eb::pruning {

using namespace engine;
using Kind = Parameter::Kind;

namespace {

// Positions in `wide` of what is not in `exact`; both ascend.
std::vector<size_t> padding(const std::vector<int32_t>& wide, const std::vector<int32_t>& exact) {
  std::vector<size_t> at;
  for (size_t i = 0; i < wide.size(); ++i)
    if (!std::binary_search(exact.begin(), exact.end(), wide[i])) at.push_back(i);
  return at;
}

// Channels of the small batch norm that the ticket pruned.
std::vector<size_t> dead_scales(const Graph& g, const Axes& wide, const ClosedTicket& closed, int bn) {
  const auto bns = g.bn_nodes();
  const auto& keep = closed.ticket.masks[std::find(bns.begin(), bns.end(), bn) - bns.begin()].keep;
  const auto& stored = wide.kept[wide.bn_axis(g, bn)];
  std::vector<size_t> at;
  for (size_t i = 0; i < stored.size(); ++i)
    if (!keep[static_cast<size_t>(stored[i])]) at.push_back(i);
  return at;
}

void zero_columns(float* w, int64_t rows, int64_t columns, const std::vector<size_t>& which) {
  for (int64_t r = 0; r < rows; ++r)
    for (size_t c : which) w[r * columns + static_cast<int64_t>(c)] = 0.f;
}

}  // namespace

void zero_padding(Model& small, const Graph& g, const ClosedTicket& closed) {
  if (!closed.padded) return;
  const Axes exact(g, closed.ticket), wide(g, *closed.padded);
  const Graph& now = small.graph();
  for (const Tensor* arena : {&small.values(), &small.momentum()}) {
    const Tensor host = arena->to(Device::cpu);
    for (const Parameter& p : small.parameters()) {
      const int before = g.find(now.nodes[p.node].id);
      float* at = host.data<float>() + p.offset;
      if (p.kind == Kind::bn_gamma || p.kind == Kind::bn_beta) {
        for (size_t c : dead_scales(g, wide, closed, before)) at[c] = 0.f;
      } else if (p.last == Parameter::Axis::input) {
        const int group = wide.groups.of_node[g.nodes[before].in[0]];
        zero_columns(at, p.count / p.shape[3], p.shape[3], padding(wide.kept[group], exact.kept[group]));
      }
    }
    arena->copy_from(host);
  }
  small.values_changed();
}

Model compact(const Model& model, const ClosedTicket& closed, MomentumRule momentum) {
  Model small = compact(model, closed.stored(), momentum);
  zero_padding(small, model.graph(), closed);
  return small;
}

}  // namespace eb::pruning
