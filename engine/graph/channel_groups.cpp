// Two levels. A *segment* is what must share channels without any batch norm's help: adds, activations, pools
// and depthwise convs join their ends. A batch norm that is the only reader of a segment is a gate: it joins
// that segment with its own output, since zeroing its gamma and beta removes the channel from both. Any other
// batch norm starts afresh behind a select. Groups are the segments joined by gates.
#include "engine/graph/channel_groups.h"

#include <algorithm>
#include <numeric>

#include "engine/graph/op_spec.h"

namespace eb::engine {

namespace {

class UnionFind {
 public:
  explicit UnionFind(size_t n) : parent_(n) { std::iota(parent_.begin(), parent_.end(), 0); }
  int find(int i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(int a, int b) {
    a = find(a), b = find(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<int> parent_;
};

enum class BnRole : uint8_t { none, gate, before_select, starts_group };

class Grouping {
 public:
  explicit Grouping(const Graph& graph)
      : graph_(graph),
        consumers_(graph.consumers()),
        segments_(graph.nodes.size()),
        groups_(graph.nodes.size()),
        readers_(graph.nodes.size()),
        roles_(graph.nodes.size(), BnRole::none) {}

  ChannelGroups run() {
    join_segments();
    for (int i = 0; i < size(); ++i) assign_role(i);
    join_groups();
    number_groups();
    for (int i = 0; i < size(); ++i) assign_bn(i);
    decide_prunable();
    return std::move(result_);
  }

 private:
  int size() const { return static_cast<int>(graph_.nodes.size()); }
  const Node& node(int i) const { return graph_.nodes[i]; }
  int input_of(int i) const { return graph_.nodes[i].in[0]; }

  ChannelRule rule(int i) const { return node(i).op->channels(node(i), first_input(graph_, node(i))); }
  bool keeps_channels(int i) const {
    return rule(i) == ChannelRule::keeps || rule(i) == ChannelRule::shifted;
  }

  void join_segments() {
    for (int i = 0; i < size(); ++i)
      if (keeps_channels(i))
        for (int in : node(i).in) segments_.join(in, i);
    for (int i = 0; i < size(); ++i)
      if (!keeps_channels(i))
        for (int in : node(i).in) readers_[segments_.find(in)].push_back(i);
  }

  void assign_role(int i) {
    if (rule(i) != ChannelRule::scores) return;
    const int from = segments_.find(input_of(i));
    if (consumers_[i].size() == 1 && rule(consumers_[i][0]) == ChannelRule::selects)
      roles_[i] = BnRole::before_select;
    else if (readers_[from].size() == 1 || from == segments_.find(i))
      roles_[i] = BnRole::gate;
    else
      roles_[i] = BnRole::starts_group;
  }

  // A batch norm before a select keeps the axis it reads; the select drops channels behind it.
  void join_groups() {
    groups_ = segments_;
    for (int i = 0; i < size(); ++i)
      if (roles_[i] == BnRole::gate || roles_[i] == BnRole::before_select) groups_.join(input_of(i), i);
  }

  void number_groups() {
    result_.of_node.assign(size(), -1);
    result_.of_bn.assign(size(), -1);
    std::vector<int> number(size(), -1);
    for (int i = 0; i < size(); ++i) {
      int& group = number[groups_.find(i)];
      if (group < 0) {
        group = static_cast<int>(result_.groups.size());
        result_.groups.push_back({.channels = node(i).c});
      }
      result_.of_node[i] = group;
      result_.groups[group].nodes.push_back(i);
    }
  }

  void assign_bn(int i) {
    if (roles_[i] == BnRole::none) return;
    const int decides = roles_[i] == BnRole::before_select ? consumers_[i][0] : i;
    const int group = result_.of_node[decides];
    result_.of_bn[i] = group;
    ChannelGroup& g = result_.groups[group];
    if (roles_[i] == BnRole::gate)
      g.gates.push_back(i);
    else if (g.selector < 0)
      g.selector = i;
    else
      several_selectors_.push_back(group);
  }

  // Something reads the group whose result would change if a zeroed channel were taken away, or cannot
  // follow.
  bool reader_forbids(int reader) const {
    if (rule(reader) == ChannelRule::scores) return roles_[reader] != BnRole::gate;
    return rule(reader) == ChannelRule::selects || rule(reader) == ChannelRule::tied;
  }

  // Its channels are zero wherever the group's gates and selector are zeroed.
  bool silent_source(int i) const {
    if (rule(i) == ChannelRule::scores) return roles_[i] != BnRole::before_select;
    if (rule(i) == ChannelRule::selects) return roles_[input_of(i)] == BnRole::before_select;
    return rule(i) == ChannelRule::keeps;
  }

  // Only a gate reads the segment, so what enters it need not be zero for a channel to go.
  bool closed(int segment) const {
    return readers_[segment].size() == 1 && roles_[readers_[segment][0]] == BnRole::gate;
  }

  void decide_prunable() {
    for (ChannelGroup& g : result_.groups) g.prunable = !g.gates.empty() || g.selector >= 0;
    const auto forbid = [&](int group) { result_.groups[group].prunable = false; };
    for (int group : several_selectors_) forbid(group);
    forbid(result_.of_node[0]);
    forbid(result_.of_node[graph_.output]);
    for (int i = 0; i < size(); ++i) {
      const int group = result_.of_node[i], segment = segments_.find(i);
      if (rule(i) == ChannelRule::tied) forbid(group);
      if (!silent_source(i) && !closed(segment)) forbid(group);
      for (int reader : readers_[segment])
        if (segment == i && reader_forbids(reader)) forbid(group);
    }
  }

  const Graph& graph_;
  std::vector<std::vector<int>> consumers_;
  UnionFind segments_, groups_;
  std::vector<std::vector<int>> readers_;  // of a segment, by its root: nodes that keep no channel axis of it
  std::vector<BnRole> roles_;
  std::vector<int> several_selectors_;
  ChannelGroups result_;
};

}  // namespace

ChannelGroups channel_groups(const Graph& graph) {
  return Grouping(graph).run();
}

}  // namespace eb::engine
