#include "pruning/close.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/graph/channel_groups.h"
#include "pruning/protect.h"

namespace eb::pruning {

using namespace engine;

namespace {

// One batch norm of a group: its mask, and which of its channels the group's axis is.
struct Member {
  Mask* mask;
  std::vector<int32_t> channels;
  std::vector<float> gamma;
};

std::vector<int32_t> axis_of(const Graph& g, const std::vector<std::vector<int>>& readers, int bn,
                             int64_t channels) {
  if (channels < g.nodes[bn].c)
    for (int r : readers[bn])
      if (g.nodes[r].op == Op::select) return g.nodes[r].select;
  std::vector<int32_t> all(static_cast<size_t>(g.nodes[bn].c));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

struct Axis {  // one group while it is being closed
  std::vector<Member> members;
  std::vector<uint8_t> keep;
  std::vector<double> score;  // |gamma|, merged over the members
  int64_t drawn = 0;          // the fewest that one member's mask keeps
  int64_t drawn_by_all = 0;   // what the members' masks keep together

  int64_t kept() const { return std::count(keep.begin(), keep.end(), uint8_t{1}); }

  void unite(Merge merge) {
    drawn = static_cast<int64_t>(keep.size());
    for (const Member& m : members) {
      int64_t own = 0;
      for (size_t c = 0; c < keep.size(); ++c) {
        const auto i = static_cast<size_t>(m.channels[c]);
        own += m.mask->keep[i];
        keep[c] |= m.mask->keep[i];
        const double own_score = std::abs(m.gamma[i]);
        score[c] = merge == Merge::max ? std::max(score[c], own_score)
                                       : score[c] + own_score / static_cast<double>(members.size());
      }
      drawn = std::min(drawn, own);
      drawn_by_all += own;
    }
  }

  // Keeps exactly `count`: the best come back, or the worst of the kept go. Ties go to the lower channel.
  void resize(int64_t count) {
    std::vector<int32_t> order(keep.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      return std::pair(keep[a], score[a]) > std::pair(keep[b], score[b]);
    });
    for (size_t i = 0; i < order.size(); ++i) keep[order[i]] = static_cast<int64_t>(i) < count;
  }

  void write_back() {
    for (Member& m : members) {
      std::fill(m.mask->keep.begin(), m.mask->keep.end(), uint8_t{0});
      for (size_t c = 0; c < keep.size(); ++c) m.mask->keep[static_cast<size_t>(m.channels[c])] = keep[c];
    }
  }
};

// A multiple of round_to that is not below `least`, unless the group ends first.
int64_t rounded(int64_t kept, int64_t least, int64_t all, const CloseConfig& c) {
  if (c.round_to <= 1) return kept;
  const int64_t add = c.round == RoundTo::up ? c.round_to - 1 : c.round_to / 2;
  int64_t round = (kept + add) / c.round_to * c.round_to;
  if (round < least) round += c.round_to;
  return std::min(all, round);
}

bool is_protected(const Axis& axis, const CloseConfig& c) {
  for (const Member& m : axis.members)
    for (const auto& pattern : c.protect)
      if (matches(pattern, m.mask->bn)) return true;
  return false;
}

void close_axis(Axis& axis, bool prunable, const CloseConfig& c, std::vector<Hold>& holds) {
  const auto all = static_cast<int64_t>(axis.keep.size());
  Hold hold{axis.members[0].mask->bn, "shared", axis.drawn, 0, 0};
  if (!prunable || is_protected(axis, c)) {
    hold.why = prunable ? "protect" : "unprunable";
    axis.resize(all);
  } else {
    const int64_t least = std::min(all, std::max<int64_t>(1, c.min_channels));
    if (axis.kept() < least) axis.resize(least), hold.why = "min_channels";
    const int64_t round = rounded(axis.kept(), least, all, c);
    if (round != axis.kept()) axis.resize(round), hold.why = "round_to";
  }
  hold.kept = axis.kept();
  hold.returned = hold.kept * static_cast<int64_t>(axis.members.size()) - axis.drawn_by_all;
  if (hold.kept != hold.drawn) holds.push_back(hold);
  axis.write_back();
}

void keep_all(Mask& mask, std::vector<Hold>& holds) {
  const auto all = static_cast<int64_t>(mask.keep.size());
  const int64_t drawn = std::count(mask.keep.begin(), mask.keep.end(), uint8_t{1});
  if (drawn < all) holds.push_back({mask.bn, "unprunable", drawn, all, all - drawn});
  std::fill(mask.keep.begin(), mask.keep.end(), uint8_t{1});
}

}  // namespace

static ClosedTicket close_once(Ticket ticket, const Model& model, const CloseConfig& config) {
  const Graph& g = model.graph();
  if (!ticket.graph_hash.empty() && ticket.graph_hash != graph_hash(g))
    throw Error(errors::ticket_of_another_network, "the ticket was drawn from another network",
                "draw one from this checkpoint");
  const ChannelGroups groups = channel_groups(g);
  const auto readers = g.consumers();
  const std::vector<int> bns = g.bn_nodes();
  ClosedTicket closed{std::move(ticket), {}};
  for (size_t b = 0; b < bns.size(); ++b)
    if (groups.of_bn[bns[b]] < 0) keep_all(closed.ticket.masks[b], closed.holds);
  for (int id = 0; id < static_cast<int>(groups.groups.size()); ++id) {
    const ChannelGroup& group = groups.groups[static_cast<size_t>(id)];
    Axis axis;
    for (size_t b = 0; b < bns.size(); ++b)
      if (groups.of_bn[bns[b]] == id)
        axis.members.push_back({&closed.ticket.masks[b], axis_of(g, readers, bns[b], group.channels),
                                model.host_value(*model.find(bns[b], Parameter::Kind::bn_gamma))});
    if (axis.members.empty()) continue;
    axis.keep.assign(static_cast<size_t>(group.channels), 0);
    axis.score.assign(axis.keep.size(), 0.0);
    axis.unite(config.merge);
    close_axis(axis, group.prunable, config, closed.holds);
  }
  return closed;
}

ClosedTicket close_ticket(Ticket ticket, const Model& model, const CloseConfig& config) {
  check_protect(model.graph(), config.protect);
  if (config.round != RoundTo::pad) return close_once(std::move(ticket), model, config);
  CloseConfig exact = config, up = config;
  exact.round_to = 1;
  up.round = RoundTo::up;
  ClosedTicket closed = close_once(std::move(ticket), model, exact);
  closed.padded = close_once(closed.ticket, model, up).ticket;
  return closed;
}

}  // namespace eb::pruning
