// `eb_engine draw`: a ticket from a checkpoint's batch norm scales, without training.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "pruning/ticket.h"
#include "tools/cli/commands.h"
#include "tools/experiment/experiment.h"

namespace eb::tools {

using nlohmann::json;

struct DrawFlags {
  std::string checkpoint, rule = "exact_k", merge = "mean", out;
  double ratio = 0.5;
  bool json = false;
};

static json describe(const pruning::Ticket& t) {
  json layers = json::array();
  for (const auto& m : t.masks)
    layers.push_back({{"id", m.bn},
                      {"kept", std::count(m.keep.begin(), m.keep.end(), uint8_t{1})},
                      {"total", m.keep.size()}});
  return {{"ratio", t.ratio},
          {"kept", t.kept()},
          {"total", t.total()},
          {"threshold", t.threshold},
          {"layers", layers}};
}

static void print(const json& ticket) {
  std::cout << fmt::format("kept {} of {} channels, threshold {:.6g}\n", ticket["kept"].dump(),
                           ticket["total"].dump(), ticket["threshold"].get<double>());
  for (const json& l : ticket["layers"])
    std::cout << fmt::format("  {:<24}{:>6} of {:>6}\n", l["id"].get<std::string>(), l["kept"].dump(),
                             l["total"].dump());
}

static int draw(const DrawFlags& f) {
  const LoadedModel loaded = load_model(f.checkpoint);
  pruning::Ticket ticket =
      pruning::draw_ticket(loaded.model, {f.ratio, engine::named<pruning::Rule>(f.rule, "--rule", 2005),
                                          engine::named<pruning::Merge>(f.merge, "--merge", 2005)});
  ticket.epoch = loaded.checkpoint.state.value("epoch", int64_t{0});
  ticket.step = loaded.checkpoint.state.value("step", int64_t{0});
  pruning::save_ticket(ticket, loaded.model.graph(), f.out);
  const json info = describe(ticket);
  if (f.json)
    std::cout << info.dump(2) << "\n";
  else
    print(info);
  return 0;
}

void add_draw_command(CLI::App& app, std::function<int()>& run) {
  auto* sub = app.add_subcommand("draw", "Draw a ticket from a checkpoint's batch norm scales");
  static DrawFlags f;
  sub->add_option("CKPT", f.checkpoint, "Checkpoint directory, or a run directory (its latest checkpoint)")
      ->required();
  sub->add_option("--ratio", f.ratio, "Share of all channels to prune, between 0 and 1")->required();
  sub->add_option("--rule", f.rule,
                  "exact_k, or reference: strictly above the sorted value (docs/method.md 1.1)")
      ->check(CLI::IsMember({"exact_k", "reference"}));
  sub->add_option("--merge", f.merge, "Score of channels that several batch norms share")
      ->check(CLI::IsMember({"mean", "max"}));
  sub->add_option("-o,--out", f.out, "Ticket file to write (safetensors)")->required();
  sub->add_flag("--json", f.json, "One JSON object");
  sub->callback([&run] { run = [] { return draw(f); }; });
}

}  // namespace eb::tools
