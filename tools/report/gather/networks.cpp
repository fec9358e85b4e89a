#include "tools/report/gather/networks.h"

#include <fmt/format.h>

#include "engine/graph/accounting.h"
#include "tools/report/gather/layers.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;

static const char* const columns[] = {
    "label",          "ratio",     "top1_last",    "top5_last",      "top1_best",         "best_epoch",
    "best_rule",      "top1_note", "params",       "macs_per_image", "flops_per_image",   "weight_bytes",
    "training_flops", "seconds",   "seconds_note", "images_per_s",   "peak_memory_bytes", "joules",
    "energy_method"};

static json empty_row(const std::string& label) {
  json row;
  for (const char* column : columns) row[column] = nullptr;
  row["label"] = label;
  return row;
}

// As the run itself picks: the first epoch that nothing before it exceeds. What counts is the test accuracy
// there.
static void add_accuracy(const RunFiles& run, const json& phase_name, json& row) {
  Number best;
  for (const EpochRecord& e : run.epochs) {
    if (phase_name != json(e.phase)) continue;
    row["top1_last"] = or_null(e.test_top1);
    row["top5_last"] = or_null(e.test_top5);
    const Number by = e.holdout_top1 ? e.holdout_top1 : e.test_top1;
    if (!by || (best && *by <= *best)) continue;
    best = by;
    row["top1_best"] = row["top1_last"];
    row["best_epoch"] = e.epoch;
    row["best_rule"] = e.holdout_top1 ? "on the hold-out" : "on the test set";
  }
}

// The line of the last epoch may be damaged or lost; the summary knows better then.
static void add_last_accuracy(const RunFiles& run, const NetworkRecord& network, json& row) {
  const bool lost =
      run.damaged_lines > 0 || (run.epochs.empty() && run.summary && run.summary->epochs.value_or(0) > 0);
  if (!lost || !network.test_top1) return;
  row["top1_last"] = *network.test_top1;
  row["top5_last"] = or_null(network.test_top5);
}

static void add_size(const json& phase, json& row) {
  for (const char* key : {"params", "flops_per_image", "macs_per_image", "images_per_s", "peak_memory_bytes"})
    row[key] = phase[key];
}

// What the summary says of the network; `note` tells what kind of number the seconds are.
static void add_cost(const NetworkRecord& network, json& row) {
  row["training_flops"] = or_null(network.training_flops);
  row["seconds"] = or_null(network.seconds);
  row["seconds_note"] = or_null(network.seconds_note);
}

static void add_energy(const json& phases, json& row) {
  double joules = 0;
  for (const json& phase : phases) {
    if (!phase["joules"].is_number()) return;
    joules += phase["joules"].get<double>();
  }
  row["joules"] = joules;
  row["energy_method"] = phases.back()["energy_method"];
}

// For the network that the run trains in the end: what all phases together took.
static void add_cost_so_far(const json& phases, json& row) {
  double flops = 0, seconds = 0;
  for (const json& phase : phases) {
    const json &samples = phase["samples"], &per_image = phase["flops_per_image"];
    const json& training = phase["seconds"]["training"];
    if (!samples.is_number() || !per_image.is_number() || !training.is_number()) return;
    flops += 3 * samples.get<double>() * per_image.get<double>();
    seconds += training.get<double>();
  }
  row["training_flops"] = flops;
  row["seconds"] = seconds;
}

// The weights of the network as model.safetensors holds them: 4 bytes each.
static void add_weight_bytes(json& row) {
  if (row["params"].is_number()) row["weight_bytes"] = 4 * row["params"].get<int64_t>();
}

// A search that has come to its draw leaves the dense network there: the rest of its cost is projected.
static json dense_row(const RunFiles& run, const json& phases, bool finished) {
  json row = empty_row("dense");
  const bool only = phases.size() == 1;
  add_accuracy(run, phases[0]["name"], row);
  add_last_accuracy(run, network_of(run, false), row);
  add_size(phases[0], row);
  add_cost(network_of(run, false), row);
  if (only && row["seconds"].is_null()) add_cost_so_far(phases, row);
  if (only && !finished && row["seconds"].is_number()) row["seconds_note"] = "so far";
  if (only) add_energy(phases, row);
  if (!only && draw_of(run) && draw_of(run)->epoch)
    row["top1_note"] = fmt::format("dense: at the draw, epoch {}", *draw_of(run)->epoch);
  return row;
}

static json ticket_row(const RunFiles& run, const json& phases, bool finished) {
  const json ratio = or_null(draw_of(run) ? draw_of(run)->ratio : std::nullopt);
  json row = empty_row("ticket" + (ratio.is_number() ? " p=" + ratio.dump() : ""));
  row["ratio"] = ratio;
  add_accuracy(run, phases.back()["name"], row);
  add_last_accuracy(run, network_of(run, true), row);
  add_size(phases.back(), row);
  add_cost(network_of(run, true), row);
  if (row["seconds"].is_null()) add_cost_so_far(phases, row);
  if (!finished && row["seconds"].is_number()) row["seconds_note"] = "so far";
  add_energy(phases, row);
  return row;
}

static json averaged_row(const AveragedRecord& averaged, const json& network) {
  json row = empty_row("averaged weights (SWA)");
  for (const char* key : {"ratio", "params", "flops_per_image", "macs_per_image"}) row[key] = network[key];
  row["top1_last"] = or_null(averaged.top1);
  row["top5_last"] = or_null(averaged.top5);
  row["top1_note"] =
      fmt::format("mean of the weights of {} epoch{}, from epoch {} on", or_null(averaged.models).dump(),
                  averaged.models == 1 ? "" : "s", or_null(averaged.start_epoch).dump());
  return row;
}

// Before the first checkpoint there is only the network that was asked for.
static json planned_row(const RunFiles& run) {
  json row = empty_row("dense");
  if (!run.graph) return row;
  const GraphCost cost = graph_cost(*run.graph);
  row["params"] = cost.params;
  row["flops_per_image"] = cost.flops;
  row["macs_per_image"] = cost.macs;
  return row;
}

json networks_json(const RunFiles& run, const json& phases, const std::optional<pruning::Ticket>& ticket,
                   bool finished) {
  json rows = json::array();
  rows.push_back(phases.empty() ? planned_row(run) : dense_row(run, phases, finished));
  if (rows[0]["macs_per_image"].is_null() && run.graph)  // a run of an older version
    if (const auto cost = graph_cost(*run.graph); rows[0]["params"] == cost.params)
      rows[0]["macs_per_image"] = cost.macs;
  if (phases.size() > 1) {
    rows.push_back(ticket_row(run, phases, finished));
    json& row = rows.back();
    if (row["macs_per_image"].is_null()) row["macs_per_image"] = compacted_macs(run, ticket, row["params"]);
  }
  if (run.summary && run.summary->averaged && run.summary->averaged->top1)
    rows.push_back(averaged_row(*run.summary->averaged, rows.back()));
  for (json& row : rows) add_weight_bytes(row);
  return rows;
}

}  // namespace eb::tools
