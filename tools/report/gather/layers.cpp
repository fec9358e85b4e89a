#include "tools/report/gather/layers.h"

#include <algorithm>
#include <map>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/graph/accounting.h"
#include "engine/graph/channel_groups.h"
#include "engine/run/names.h"
#include "pruning/compact.h"
#include "pruning/early_bird.h"
#include "pruning/mask_history.h"
#include "tools/report/gather/search.h"

namespace eb::tools {

using namespace engine;
using pruning::Ticket;
namespace fs = std::filesystem;

static std::vector<fs::path> ticket_files(const RunFiles& run) {
  if (draw_of(run) && draw_of(run)->file)
    return {run.path / file_names::tickets / fs::path(*draw_of(run)->file).filename()};
  std::vector<fs::path> files;
  if (run.search && !run.search->draw) return files;  // what is there has emerged, but was not drawn
  std::error_code error;
  for (fs::directory_iterator it(run.path / file_names::tickets, error), end; !error && it != end;
       it.increment(error))
    if (it->path().extension() == ".safetensors") files.push_back(it->path());
  return files;
}

std::optional<Ticket> drawn_ticket(RunFiles& run) {
  std::optional<Ticket> newest;
  if (!run.graph) return newest;
  const Number drawn_ratio = lenient::number(lenient::value(run.config, "early_bird"), "draw");
  for (const fs::path& file : ticket_files(run)) try {
      Ticket ticket = pruning::load_ticket(file, *run.graph);
      if (drawn_ratio && ticket.ratio != *drawn_ratio) continue;
      if (!newest || ticket.step > newest->step) newest = std::move(ticket);
    } catch (const Error& e) {
      run.warnings.push_back(utf8("a ticket was left out: " + e.message()));
    }
  return newest;
}

static int64_t count(const std::vector<uint8_t>& keep) {
  return std::count(keep.begin(), keep.end(), uint8_t{1});
}

// Channels that the ranking alone would have kept, per batch norm: the last mask of the drawn ratio. Empty if
// it is not there.
static std::vector<pruning::Mask> ranked_masks(const RunFiles& run, const Ticket& ticket) {
  try {
    const auto history = pruning::read_mask_history(run.path / file_names::masks /
                                                    file_names::mask_file(pruning::ratio_name(ticket.ratio)));
    if (history.masks.empty() || history.masks.size() < masks_drawn(run, ticket.ratio)) return {};
    return pruning::unpack_mask(*run.graph, history.masks.back(), history.bits).masks;
  } catch (const Error&) {
    return {};
  }
}

// Channels of a group that any of its batch norms ranked high enough.
using GroupMasks = std::map<int, std::vector<uint8_t>>;
static GroupMasks unite(const std::vector<pruning::Mask>& masks, const std::vector<int>& groups) {
  GroupMasks united;
  for (size_t b = 0; b < masks.size(); ++b) {
    std::vector<uint8_t>& keep = united[groups[b]];
    keep.resize(std::max(keep.size(), masks[b].keep.size()));
    for (size_t c = 0; c < masks[b].keep.size(); ++c) keep[c] |= masks[b].keep[c];
  }
  return united;
}

static bool has_protected_layers(const RunFiles& run) {
  return !lenient::list(lenient::value(run.config, "early_bird"), "protect").empty();
}

std::vector<LayerReport> layers_of(const RunFiles& run, const std::optional<Ticket>& ticket) {
  std::vector<LayerReport> layers;
  if (!ticket) return layers;
  const ChannelGroups all = channel_groups(*run.graph);
  std::vector<int> groups;  // of each batch norm
  std::map<int, int> members, numbers;
  for (int bn : run.graph->bn_nodes()) groups.push_back(all.of_bn[bn]), ++members[groups.back()];
  GroupMasks ranked = unite(ranked_masks(run, *ticket), groups);
  const bool protects = has_protected_layers(run);
  for (size_t b = 0; b < ticket->masks.size(); ++b) {
    const pruning::Mask& mask = ticket->masks[b];
    const int group = groups[b];
    const bool tied = group >= 0 && members[group] > 1;
    if (tied) numbers.try_emplace(group, static_cast<int>(numbers.size()));
    const int64_t kept = count(mask.keep), total = static_cast<int64_t>(mask.keep.size());
    const bool whole = group < 0 || !all.groups[group].prunable || (protects && kept == total);
    layers.push_back({.id = mask.bn,
                      .kept = kept,
                      .total = total,
                      .group = tied ? Count(numbers[group]) : std::nullopt,
                      .held_up = !whole && ranked.count(group) && kept > count(ranked[group])});
  }
  return layers;
}

Count compacted_macs(const RunFiles& run, const std::optional<Ticket>& ticket, Count params) {
  if (!ticket) return std::nullopt;
  try {
    const GraphCost cost = graph_cost(pruning::compact_graph(*run.graph, *ticket));
    return params == cost.params ? Count(cost.macs) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace eb::tools
