// `eb_engine compact`: the small network a ticket leaves, as a checkpoint of its own.
#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/base/error_codes.h"
#include "engine/base/json.h"
#include "engine/graph/accounting.h"
#include "pruning/compact.h"
#include "tools/cli/commands.h"
#include "tools/cli/common_flags.h"
#include "tools/experiment/to_prune.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;

struct CompactFlags {
  std::string checkpoint, ticket, out, round = "up", merge = "mean";
  pruning::CloseConfig close;
  bool again = false, dry_run = false, json = false;
};

static json describe(const Graph& graph, const pruning::ClosedTicket& closed) {
  const GraphCost before = graph_cost(graph),
                  after = graph_cost(pruning::compact_graph(graph, closed.stored()));
  json layers = json::array(), holds = json::array();
  for (const auto& l : pruning::plan_compaction(graph, closed.stored()))
    layers.push_back({{"id", l.id},
                      {"op", l.op},
                      {"channels", {l.channels_before, l.channels_after}},
                      {"params", {l.params_before, l.params_after}},
                      {"flops", {l.flops_before, l.flops_after}}});
  for (const auto& h : closed.holds)
    holds.push_back({{"id", h.bn}, {"why", h.why}, {"drawn", h.drawn}, {"kept", h.kept}});
  return {{"layers", layers},
          {"holds", holds},
          {"params", {before.params, after.params}},
          {"flops_per_image", {before.flops, after.flops}}};
}

static std::string change(const json& pair) {
  return fmt::format("{} -> {}", pair[0].dump(), pair[1].dump());
}

static void print_plan(const json& plan) {
  std::cout << fmt::format("{:<26}{:>18}{:>24}{:>28}\n", "layer", "channels", "parameters",
                           "FLOPs per image");
  for (const json& l : plan["layers"])
    std::cout << fmt::format("{:<26}{:>18}{:>24}{:>28}\n", l["id"].get<std::string>(), change(l["channels"]),
                             change(l["params"]), change(l["flops"]));
  std::cout << fmt::format("{:<26}{:>18}{:>24}{:>28}\n", "total", "", change(plan["params"]),
                           change(plan["flops_per_image"]));
  for (const json& h : plan["holds"])
    std::cout << fmt::format("held: {} keeps {} instead of {} ({})\n", h["id"].get<std::string>(),
                             h["kept"].dump(), h["drawn"].dump(), h["why"].get<std::string>());
}

static void write_checkpoint(const LoadedModel& loaded, const pruning::ClosedTicket& closed,
                             const std::string& out) {
  Model dense = pruning::clone(loaded.model);
  load_momentum_dict(dense, loaded.checkpoint.optim);
  const Model small = pruning::compact(dense, closed, pruning::MomentumRule::carry);
  Checkpoint c;
  const int64_t step = loaded.checkpoint.state.value("step", int64_t{0});
  c.state = {{"step", step},
             {"epoch", loaded.checkpoint.state.value("epoch", 0)},
             {"phase", "compact"},
             {"compacted_from", loaded.path.string()}};
  c.model = state_dict(small);
  c.optim = momentum_dict(small);
  c.metadata = loaded.checkpoint.metadata;
  c.metadata["graph"] = to_json(small.graph()).dump();
  export_checkpoint(out, step, c);
}

static int compact_checkpoint(CompactFlags& f) {
  f.close.round = named<pruning::RoundTo>(f.round, "--round", errors::bad_value);
  f.close.merge = named<pruning::Merge>(f.merge, "--merge", errors::bad_value);
  const LoadedModel loaded = load_to_prune(f.checkpoint, f.again);
  const Graph& graph = loaded.model.graph();
  const auto closed = pruning::close_ticket(pruning::load_ticket(f.ticket, graph), loaded.model, f.close);
  if (!f.dry_run) write_checkpoint(loaded, closed, f.out);
  json plan = describe(graph, closed);
  plan["checkpoint"] = loaded.path.string();
  if (f.json)
    std::cout << dump_json(plan, 2) << "\n";
  else
    print_plan(plan);
  return 0;
}

Command compact_command() {
  const auto f = std::make_shared<CompactFlags>();
  return {
      .name = "compact",
      .doc = "Remove a ticket's pruned channels physically",
      .flags =
          {Flag{"CKPT", &f->checkpoint, to_prune_doc}.must_be_given(),
           Flag{"--ticket", &f->ticket, "Ticket file, from `draw` or a run's tickets/"}.must_be_given(),
           Flag{"-o,--out", &f->out, "Checkpoint directory to write; must not exist"},
           Flag{"--dry-run", &f->dry_run, "Only print the plan, layer by layer"},
           Flag{"--min-channels", &f->close.min_channels, "No layer keeps fewer"}.positive(),
           Flag{"--round-to", &f->close.round_to, "Multiple that channel counts are rounded to"}.positive(),
           Flag{"--round", &f->round, "Direction of --round-to; pad: by channels that stay zero"}.one_of(
               names_of<pruning::RoundTo>()),
           Flag{"--merge", &f->merge, "Which channels of a shared group come first, as in draw"}.one_of(
               names_of<pruning::Merge>()),
           Flag{"--protect", &f->close.protect, "Batch norms that keep every channel, by id or pattern"},
           Flag{"--again", &f->again, again_doc}, Flag{"--json", &f->json, "One JSON object"}},
      .run = [f] { return compact_checkpoint(*f); },
      .needs_one_of = {"--out", "--dry-run"},
  };
}

}  // namespace eb::tools
