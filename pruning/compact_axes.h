// Which channels of every group stay: the index lists that both the graph and the numbers are gathered by.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/graph/channel_groups.h"
#include "pruning/compact.h"

namespace eb::pruning {

struct Axes {
  Axes(const engine::Graph& graph, const Ticket& closed);
  bool full(int group) const;
  // A selector batch norm whose group lost channels but that has no select behind it.
  bool needs_select(const engine::Graph& graph, int node) const;
  // The group a batch norm's own parameters follow: that of its input for a selector, which keeps its width.
  int bn_axis(const engine::Graph& graph, int bn) const;

  engine::ChannelGroups groups;
  std::vector<std::vector<int32_t>> kept;  // by group, ascending
};

}  // namespace eb::pruning
