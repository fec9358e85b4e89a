#include "pruning/ticket.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/graph/channel_groups.h"
#include "kernels/philox.h"

namespace eb::pruning {

using namespace engine;

int64_t Ticket::total() const {
  int64_t n = 0;
  for (const Mask& m : masks) n += static_cast<int64_t>(m.keep.size());
  return n;
}

int64_t Ticket::kept() const {
  int64_t n = 0;
  for (const Mask& m : masks) n += std::count(m.keep.begin(), m.keep.end(), uint8_t{1});
  return n;
}

std::string graph_hash(const Graph& graph) {
  uint64_t h = 14695981039346656037u;  // FNV-1a, 64 bit
  for (const char c : to_json(graph).dump()) h = (h ^ static_cast<uint8_t>(c)) * 1099511628211u;
  return fmt::format("{:016x}", h);
}

// The channels of a batch norm that are still read: all of them, or those its select keeps.
static std::vector<int32_t> live_channels(const Graph& g, const std::vector<std::vector<int>>& readers,
                                          int bn) {
  for (int r : readers[bn])
    if (readers[bn].size() == 1 && g.nodes[r].op == Op::select && !g.nodes[r].select_all)
      return g.nodes[r].select;
  std::vector<int32_t> all(static_cast<size_t>(g.nodes[bn].c));
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int32_t>(i);
  return all;
}

std::vector<std::vector<size_t>> shared_scores(const Graph& g, const Scores& s) {
  const ChannelGroups groups = channel_groups(g);
  std::vector<size_t> begin(s.bn.size() + 1, 0);
  for (size_t b = 0; b < s.bn.size(); ++b) begin[b + 1] = begin[b] + s.channels[b].size();
  std::vector<std::vector<size_t>> shared;
  for (int group = 0; group < static_cast<int>(groups.groups.size()); ++group) {
    std::vector<size_t> members;
    for (size_t b = 0; b < s.bn.size(); ++b)
      if (groups.of_bn[s.bn[b]] == group) members.push_back(begin[b]);
    if (members.size() < 2) continue;
    for (int64_t c = 0; c < groups.groups[group].channels; ++c) {
      shared.push_back(members);
      for (size_t& m : members) ++m;
    }
  }
  return shared;
}

// Replaces the scores of batch norms that share a group by one merged score per channel.
static void merge_groups(const Graph& g, Scores& s, Merge merge) {
  for (const std::vector<size_t>& members : shared_scores(g, s)) {
    const std::vector<int32_t> index(members.begin(), members.end());
    const float merged = kernels::merged_score({s.values.data(), index.data()}, 0,
                                               static_cast<int32_t>(index.size()), merge == Merge::max);
    for (size_t m : members) s.values[m] = merged;
  }
}

template <class Value>
static Scores collect(const Graph& g, Value value) {
  Scores s;
  const auto readers = g.consumers();
  for (int bn : g.bn_nodes()) {
    s.bn.push_back(bn);
    s.channels.push_back(live_channels(g, readers, bn));
    for (int32_t c : s.channels.back()) s.values.push_back(value(bn, c));
  }
  return s;
}

Scores bn_scores(const Model& model, Rule rule, Merge merge) {
  std::map<int, std::vector<float>> gamma;
  for (int bn : model.graph().bn_nodes())
    gamma[bn] = model.host_value(*model.find(bn, Parameter::Kind::bn_gamma));
  Scores s = collect(model.graph(), [&](int bn, int32_t c) { return std::abs(gamma[bn][c]); });
  if (rule == Rule::exact_k) merge_groups(model.graph(), s, merge);
  return s;
}

int64_t pruned_count(int64_t bits, double ratio) {
  if (!(ratio > 0 && ratio < 1))
    throw Error(errors::bad_ratio, fmt::format("a pruning ratio of {} keeps everything or nothing", ratio),
                "0 < ratio < 1");
  if (bits == 0)
    throw Error(errors::no_batch_norm,
                "the network has no batch norm, so there are no scales to draw a ticket from");
  return static_cast<int64_t>(static_cast<double>(bits) * ratio);
}

void check_drawn(const kernels::TopkMask::Result& r) {
  if (r.has_nan || std::isinf(r.threshold))
    throw Error(errors::scale_not_finite,
                fmt::format("a batch norm scale is {}: no mask can be drawn", r.has_nan ? "NaN" : "infinite"),
                "training has diverged; see train.optimizer.lr");
}

PackedMask draw_mask(const Scores& s, double ratio, Rule rule) {
  PackedMask m;
  m.bits = static_cast<int64_t>(s.values.size());
  const int64_t k = pruned_count(m.bits, ratio);
  m.words.assign(static_cast<size_t>((m.bits + 63) / 64), 0);
  kernels::TopkMask::Result r;
  const kernels::TopkMask& kernel = kernels::topk_mask(Device::cpu);
  const kernels::TopkMask::Params p{rule, m.bits, k};
  const Tensor space = workspace(kernel.workspace_bytes(p), Device::cpu);
  kernel.draw(p,
              {.scores = {s.values.data()}, .mask = m.words.data(), .result = &r, .workspace = space.raw()});
  check_drawn(r);
  m.threshold = r.threshold;
  m.kept = r.kept;
  return m;
}

static Ticket unpack(const Graph& g, const Scores& s, const PackedMask& m) {
  Ticket t;
  t.threshold = m.threshold;
  t.graph_hash = graph_hash(g);
  size_t bit = 0;
  for (size_t b = 0; b < s.bn.size(); ++b) {
    const Node& n = g.nodes[s.bn[b]];
    Mask mask{n.id, std::vector<uint8_t>(static_cast<size_t>(n.c), 0)};
    for (int32_t c : s.channels[b]) {
      mask.keep[static_cast<size_t>(c)] = m.words[bit / 64] >> (bit % 64) & 1;
      ++bit;
    }
    t.masks.push_back(std::move(mask));
  }
  return t;
}

Ticket unpack_mask(const Graph& graph, const std::vector<uint64_t>& words, int64_t bits) {
  const Scores layout = collect(graph, [](int, int32_t) { return 0.f; });
  if (bits != static_cast<int64_t>(layout.values.size()))
    throw Error(errors::mask_history,
                fmt::format("a mask of {} channels, the network has {}", bits, layout.values.size()),
                "it is another network's");
  return unpack(graph, layout, {bits, words});
}

Ticket draw_ticket(const Model& model, const DrawConfig& config) {
  const Scores s = bn_scores(model, config.rule, config.merge);
  Ticket t = unpack(model.graph(), s, draw_mask(s, config.ratio, config.rule));
  t.ratio = config.ratio;
  t.rule = config.rule;
  return t;
}

static Scores random_scores(const Graph& graph, uint64_t seed) {
  uint64_t element = 0;
  Scores s = collect(graph, [&](int, int32_t) {
    return kernels::uniform(kernels::philox(seed, kernels::Stream::random_ticket, 0, element++)[0]);
  });
  merge_groups(graph, s, Merge::mean);
  return s;
}

Ticket random_ticket(const Graph& graph, double ratio, uint64_t seed) {
  const Scores s = random_scores(graph, seed);
  Ticket t = unpack(graph, s, draw_mask(s, ratio, Rule::exact_k));
  t.ratio = ratio;
  return t;
}

Ticket shuffled_ticket(Ticket t, const Graph& graph, uint64_t seed) {
  const Scores s = random_scores(graph, seed);
  const float* score = s.values.data();
  for (size_t b = 0; b < s.bn.size(); ++b) {
    const std::vector<int32_t>& channels = s.channels[b];
    std::vector<uint8_t>& keep = t.masks[b].keep;
    std::vector<size_t> order(channels.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) { return score[i] > score[j]; });
    const auto kept = std::count(keep.begin(), keep.end(), uint8_t{1});
    std::fill(keep.begin(), keep.end(), uint8_t{0});
    for (int64_t i = 0; i < kept; ++i) keep[static_cast<size_t>(channels[order[i]])] = 1;
    score += channels.size();
  }
  return t;
}

}  // namespace eb::pruning
