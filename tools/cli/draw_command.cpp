// `eb_engine draw`: a ticket from a checkpoint's batch norm scales, without training.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/base/error_codes.h"
#include "engine/base/json.h"
#include "pruning/ticket.h"
#include "tools/cli/commands.h"
#include "tools/cli/common_flags.h"
#include "tools/experiment/to_prune.h"

namespace eb::tools {

using nlohmann::json;

struct DrawFlags {
  std::string checkpoint, rule = "exact_k", merge = "mean", out;
  double ratio = 0.5;
  bool again = false, json = false;
};

static json describe(const pruning::Ticket& t, const std::filesystem::path& checkpoint) {
  json layers = json::array();
  for (const auto& m : t.masks)
    layers.push_back({{"id", m.bn},
                      {"kept", std::count(m.keep.begin(), m.keep.end(), uint8_t{1})},
                      {"total", m.keep.size()}});
  return {{"checkpoint", checkpoint.string()}, {"ratio", t.ratio}, {"kept", t.kept()}, {"total", t.total()},
          {"threshold", t.threshold},          {"layers", layers}};
}

static void print_ticket(const json& ticket) {
  std::cout << fmt::format("kept {} of {} channels, threshold {:.6g}\n", ticket["kept"].dump(),
                           ticket["total"].dump(), ticket["threshold"].get<double>());
  for (const json& l : ticket["layers"])
    std::cout << fmt::format("  {:<24}{:>6} of {:>6}\n", l["id"].get<std::string>(), l["kept"].dump(),
                             l["total"].dump());
}

static int draw(const DrawFlags& f) {
  const LoadedModel loaded = load_to_prune(f.checkpoint, f.again);
  pruning::Ticket ticket = pruning::draw_ticket(
      loaded.model, {f.ratio, engine::named<pruning::Rule>(f.rule, "--rule", errors::bad_value),
                     engine::named<pruning::Merge>(f.merge, "--merge", errors::bad_value)});
  ticket.epoch = loaded.checkpoint.state.value("epoch", int64_t{0});
  ticket.step = loaded.checkpoint.state.value("step", int64_t{0});
  pruning::save_ticket(ticket, loaded.model.graph(), f.out);
  const json info = describe(ticket, loaded.path);
  if (f.json)
    std::cout << engine::dump_json(info, 2) << "\n";
  else
    print_ticket(info);
  return 0;
}

Command draw_command() {
  const auto f = std::make_shared<DrawFlags>();
  return {
      .name = "draw",
      .doc = "Draw a ticket from a checkpoint's batch norm scales",
      .flags = {Flag{"CKPT", &f->checkpoint, to_prune_doc}.must_be_given(),
                Flag{"--ratio", &f->ratio, "Share of all channels to prune, between 0 and 1"}.must_be_given(),
                Flag{"--rule", &f->rule,
                     "exact_k, or reference: strictly above the sorted value (docs/method.md 1.1)"}
                    .one_of(engine::names_of<pruning::Rule>()),
                Flag{"--merge", &f->merge, "Score of channels that several batch norms share"}.one_of(
                    engine::names_of<pruning::Merge>()),
                Flag{"-o,--out", &f->out, "Ticket file to write (safetensors)"}.must_be_given(),
                Flag{"--again", &f->again, again_doc}, Flag{"--json", &f->json, "One JSON object"}},
      .run = [f] { return draw(*f); },
  };
}

}  // namespace eb::tools
