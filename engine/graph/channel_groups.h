// Channel groups: every tensor whose channel axis must keep the same channels as another's. Nodes joined by
// an add share a group; a select, and a batch norm that reads a tensor others read too, starts a new one.
// Compaction is one algorithm over groups, for VGG, PreResNet, ResNet and whatever a user writes.
#pragma once
#include <vector>

#include "engine/graph/graph.h"

namespace eb::engine {

struct ChannelGroup {
  int64_t channels = 0;
  std::vector<int> nodes;  // nodes whose *output* channel axis is this group
  std::vector<int> gates;  // bn nodes whose gamma decides over the whole group; only they read their input
  // The bn node whose gamma decides what a select keeps of the group it reads, or -1. Where the graph has no
  // select behind it, the bn itself is in `nodes` and compaction adds one. A group may have gates beside it:
  // one merged score.
  int selector = -1;
  bool prunable = false;  // every producer passes a gate (or the group comes from a selector), it is neither
                          // the network's input nor its output, and no grouped conv ties it to another axis
};

struct ChannelGroups {
  std::vector<ChannelGroup> groups;
  std::vector<int> of_node;  // group of a node's output
  std::vector<int> of_bn;    // group that a bn node's gamma decides over, -1 for other nodes
};

ChannelGroups channel_groups(const Graph& graph);

}  // namespace eb::engine
