#include "tools/report/gather/networks.h"

#include <fmt/format.h>

#include "engine/graph/accounting.h"
#include "tools/report/gather/layers.h"

namespace eb::tools {

using namespace engine;
using Phases = std::vector<PhaseReport>;

// As the run itself picks: the first epoch that nothing before it exceeds. What counts is the test accuracy
// there.
static void add_accuracy(const RunFiles& run, std::optional<Phase> phase, NetworkReport& row) {
  Number best;
  for (const EpochRecord& e : run.epochs) {
    if (phase != e.phase) continue;
    row.top1_last = e.test_top1;
    row.top5_last = e.test_top5;
    const Number by = e.holdout_top1 ? e.holdout_top1 : e.test_top1;
    if (!by || (best && *by <= *best)) continue;
    best = by;
    row.top1_best = row.top1_last;
    row.best_epoch = e.epoch;
    row.best_rule = e.holdout_top1 ? BestRule::holdout : BestRule::test;
  }
}

// The line of the last epoch may be damaged or lost; the summary knows better then.
static void add_last_accuracy(const RunFiles& run, const NetworkRecord& network, NetworkReport& row) {
  const bool lost =
      run.damaged_lines > 0 || (run.epochs.empty() && run.summary && run.summary->epochs.value_or(0) > 0);
  if (!lost || !network.test_top1) return;
  row.top1_last = network.test_top1;
  row.top5_last = network.test_top5;
}

static void add_size(const PhaseReport& phase, NetworkReport& row) {
  row.params = phase.params;
  row.flops_per_image = phase.flops_per_image;
  row.macs_per_image = phase.macs_per_image;
  row.images_per_s = phase.images_per_s;
  row.peak_memory_bytes = phase.peak_memory_bytes;
}

// What the summary says of the network; its note tells what kind of number the seconds are.
static void add_cost(const NetworkRecord& network, NetworkReport& row) {
  row.training_flops = network.training_flops;
  row.seconds = network.seconds;
  row.seconds_note = network.seconds_note;
}

static void add_energy(const Phases& phases, NetworkReport& row) {
  double joules = 0;
  for (const PhaseReport& phase : phases) {
    if (!phase.joules) return;
    joules += *phase.joules;
  }
  row.joules = joules;
  row.energy_method = phases.back().energy_method;
}

// For the network that the run trains in the end: what all phases together took.
static void add_cost_so_far(const Phases& phases, NetworkReport& row) {
  double flops = 0, seconds = 0;
  for (const PhaseReport& phase : phases) {
    if (!phase.samples || !phase.flops_per_image || !phase.seconds.training) return;
    flops += 3 * static_cast<double>(*phase.samples) * static_cast<double>(*phase.flops_per_image);
    seconds += *phase.seconds.training;
  }
  row.training_flops = flops;
  row.seconds = seconds;
}

// The weights of the network as model.safetensors holds them: 4 bytes each.
static void add_weight_bytes(NetworkReport& row) {
  if (row.params) row.weight_bytes = 4 * *row.params;
}

// A search that has come to its draw leaves the dense network there: the rest of its cost is projected.
static NetworkReport dense_row(const RunFiles& run, const Phases& phases, bool finished) {
  NetworkReport row{.label = "dense"};
  const bool only = phases.size() == 1;
  add_accuracy(run, phases[0].name, row);
  add_last_accuracy(run, network_of(run, false), row);
  add_size(phases[0], row);
  add_cost(network_of(run, false), row);
  if (only && !row.seconds) add_cost_so_far(phases, row);
  if (only && !finished && row.seconds) row.seconds_note = "so far";
  if (only) add_energy(phases, row);
  if (only) return row;
  row.top1_note = network_of(run, false).test_top1_note;
  if (!row.top1_note && draw_of(run) && draw_of(run)->epoch)
    row.top1_note = fmt::format("dense: at the draw, epoch {}", *draw_of(run)->epoch);
  return row;
}

static NetworkReport ticket_row(const RunFiles& run, const Phases& phases, bool finished) {
  const Number ratio = draw_of(run) ? draw_of(run)->ratio : std::nullopt;
  NetworkReport row{.label = "ticket" + (ratio ? " p=" + or_null(ratio).dump() : "")};
  row.ratio = ratio;
  add_accuracy(run, phases.back().name, row);
  add_last_accuracy(run, network_of(run, true), row);
  add_size(phases.back(), row);
  add_cost(network_of(run, true), row);
  if (!row.seconds) add_cost_so_far(phases, row);
  if (!finished && row.seconds) row.seconds_note = "so far";
  add_energy(phases, row);
  return row;
}

static NetworkReport averaged_row(const AveragedRecord& averaged, const NetworkReport& network) {
  NetworkReport row{.label = "averaged weights (SWA)"};
  row.ratio = network.ratio;
  row.params = network.params;
  row.flops_per_image = network.flops_per_image;
  row.macs_per_image = network.macs_per_image;
  row.top1_last = averaged.top1;
  row.top5_last = averaged.top5;
  row.top1_note =
      fmt::format("mean of the weights of {} epoch{}, from epoch {} on", or_null(averaged.models).dump(),
                  averaged.models == 1 ? "" : "s", or_null(averaged.start_epoch).dump());
  return row;
}

// Before the first checkpoint there is only the network that was asked for.
static NetworkReport planned_row(const RunFiles& run) {
  NetworkReport row{.label = "dense"};
  if (!run.graph) return row;
  const GraphCost cost = graph_cost(*run.graph);
  row.params = cost.params;
  row.flops_per_image = cost.flops;
  row.macs_per_image = cost.macs;
  return row;
}

std::vector<NetworkReport> networks_of(const RunFiles& run, const Phases& phases,
                                       const std::optional<pruning::Ticket>& ticket, bool finished) {
  std::vector<NetworkReport> rows{phases.empty() ? planned_row(run) : dense_row(run, phases, finished)};
  if (!rows[0].macs_per_image && run.graph)  // a run of an older version
    if (const auto cost = graph_cost(*run.graph); rows[0].params == cost.params)
      rows[0].macs_per_image = cost.macs;
  if (phases.size() > 1) {
    NetworkReport& row = rows.emplace_back(ticket_row(run, phases, finished));
    if (!row.macs_per_image) row.macs_per_image = compacted_macs(run, ticket, row.params);
  }
  if (run.summary && run.summary->averaged && run.summary->averaged->top1)
    rows.push_back(averaged_row(*run.summary->averaged, rows.back()));
  for (NetworkReport& row : rows) add_weight_bytes(row);
  return rows;
}

}  // namespace eb::tools
