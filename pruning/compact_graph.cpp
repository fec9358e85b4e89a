#include <algorithm>

#include "engine/graph/accounting.h"
#include "pruning/compact_axes.h"

namespace eb::pruning {

using namespace engine;

static std::vector<int32_t> kept_indices(const std::vector<uint8_t>& keep) {
  std::vector<int32_t> list;
  for (size_t i = 0; i < keep.size(); ++i)
    if (keep[i]) list.push_back(static_cast<int32_t>(i));
  return list;
}

// The select that alone reads `bn`, or -1.
static int select_behind(const std::vector<std::vector<int>>& readers, const Graph& g, int bn) {
  return readers[bn].size() == 1 && g.nodes[readers[bn][0]].op == Op::select ? readers[bn][0] : -1;
}

Axes::Axes(const Graph& g, const Ticket& closed) : groups(channel_groups(g)) {
  const auto readers = g.consumers();
  const auto bns = g.bn_nodes();
  kept.resize(groups.groups.size());
  for (size_t i = 0; i < kept.size(); ++i) {
    kept[i].resize(static_cast<size_t>(groups.groups[i].channels));
    for (size_t c = 0; c < kept[i].size(); ++c) kept[i][c] = static_cast<int32_t>(c);
  }
  for (size_t b = 0; b < bns.size(); ++b) {
    const int group = groups.of_bn[bns[b]];
    if (group < 0 || !groups.groups[group].prunable) continue;
    std::vector<uint8_t> keep = closed.masks[b].keep;
    const int select = select_behind(readers, g, bns[b]);
    if (select >= 0 &&
        !g.nodes[select].select_all) {  // the mask is over the batch norm, the axis over what is left
      std::vector<uint8_t> left;
      for (int32_t c : g.nodes[select].select) left.push_back(keep[c]);
      keep = left;
    }
    kept[group] = kept_indices(keep);
  }
}

bool Axes::full(int group) const {
  return static_cast<int64_t>(kept[group].size()) == groups.groups[group].channels;
}

bool Axes::needs_select(const Graph& g, int node) const {
  return g.nodes[node].op == Op::bn && groups.groups[groups.of_node[node]].selector == node &&
         !full(groups.of_node[node]);
}

int Axes::bn_axis(const Graph& g, int bn) const {
  return groups.groups[groups.of_node[bn]].selector == bn ? groups.of_node[g.nodes[bn].in[0]]
                                                          : groups.of_node[bn];
}

static void shrink_select(Node& n, const std::vector<int32_t>& kept, bool full) {
  if (full) return;
  std::vector<int32_t> now;
  for (int32_t c : kept) now.push_back(n.select_all ? c : n.select[static_cast<size_t>(c)]);
  n.select = now;
  n.select_all = false;
}

static void shrink_conv(Node& n, int64_t in_before, int64_t in_after, int64_t out_after) {
  if (n.groups == in_before && n.groups > 1) n.groups = in_after;  // depthwise: one group a channel
  n.out_channels = out_after;
}

// For the select behind `bn`: a name that no node has, nor a module of nodes (PyTorch makes modules of the
// dots).
static std::string free_select_name(const Graph& g, const Node& bn) {
  std::string name = bn.id + "_select";
  const auto taken = [&](const Node& n) { return n.id == name || n.id.starts_with(name + "."); };
  while (std::any_of(g.nodes.begin(), g.nodes.end(), taken)) name += '_';
  return name;
}

Graph compact_graph(const Graph& g, const Ticket& closed) {
  const Axes axes(g, closed);
  Graph small;
  std::vector<int> moved(g.nodes.size());
  for (int i = 0; i < static_cast<int>(g.nodes.size()); ++i) {
    Node n = g.nodes[i];
    for (int& in : n.in) in = moved[in];
    const int group = axes.groups.of_node[i];
    const auto count = static_cast<int64_t>(axes.kept[group].size());
    if (n.op == Op::conv) {
      const int in = g.nodes[i].in[0];
      shrink_conv(n, g.nodes[in].c, static_cast<int64_t>(axes.kept[axes.groups.of_node[in]].size()), count);
    }
    if (n.op == Op::linear) n.out_channels = count;
    if (n.op == Op::select) shrink_select(n, axes.kept[group], axes.full(group));
    small.nodes.push_back(n);
    moved[i] = static_cast<int>(small.nodes.size()) - 1;
    if (!axes.needs_select(g, i)) continue;
    Node select{free_select_name(g, g.nodes[i]), Op::select, {moved[i]}};
    select.select_total = g.nodes[i].c;
    shrink_select(select, axes.kept[group], false);
    small.nodes.push_back(select);
    moved[i] = static_cast<int>(small.nodes.size()) - 1;
  }
  small.output = moved[g.output];
  small.infer_shapes();
  return small;
}

std::vector<LayerChange> plan_compaction(const Graph& g, const Ticket& closed) {
  const Graph small = compact_graph(g, closed);
  const auto before = layer_costs(g), after = layer_costs(small);
  std::vector<LayerChange> plan;
  for (const LayerCost& b : before) {
    const Node& n = g.nodes[b.node];
    const int now = small.find(n.id);
    if (b.params == 0 && n.op != Op::select) continue;
    const LayerCost& a = after[now];
    plan.push_back({n.id, name_of(n.op), n.c, small.nodes[now].c, b.params, a.params, b.flops, a.flops});
  }
  return plan;
}

}  // namespace eb::pruning
