#include "tools/report/gather/gather.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/base/clock.h"
#include "engine/base/text.h"
#include "engine/run/names.h"
#include "pruning/found_by.h"
#include "tools/experiment/version.h"
#include "tools/record/run_files.h"
#include "tools/report/gather/comparison.h"
#include "tools/report/gather/layers.h"
#include "tools/report/gather/networks.h"
#include "tools/report/gather/run_state.h"
#include "tools/report/gather/search.h"
#include "tools/report/gather/settings.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;
namespace fs = std::filesystem;

static json name_of(const RunFiles& run) {
  if (const Words name = lenient::words(run.config, "name")) return *name;
  return utf8(fs::absolute(run.path).lexically_normal().filename().string());
}

static json speedup(const RunFiles& run) {
  if (!run.summary || !run.summary->speedup) return nullptr;
  return {{"counted", or_null(run.summary->speedup->counted)},
          {"measured", or_null(run.summary->speedup->measured)}};
}

static json equivalence(const RunFiles& run) {
  const Number difference = draw_of(run) ? draw_of(run)->max_abs_difference : std::nullopt;
  return difference ? json{{"max_abs_difference", *difference}} : json(nullptr);
}

// Null for a run of a version that did not write them down.
static json bad_samples(const RunFiles& run) {
  if (!run.summary || !run.summary->bad_samples) return nullptr;
  json list = json::array();
  for (const std::string& sample : *run.summary->bad_samples) list.push_back(utf8(sample));
  return list;
}

// What metrics.jsonl no longer tells of a run. Damaged lines have a warning of their own.
static std::string lost_epochs(const RunFiles& run, bool finished) {
  const int64_t trained = run.summary ? run.summary->epochs.value_or(0) : 0;
  const int64_t told = run.epochs.empty() ? 0 : run.epochs.back().epoch;
  std::error_code error;
  if (!fs::exists(run.path / file_names::metrics, error))
    return finished || trained > 0 ? fmt::format("{} is missing: the curves are lost", file_names::metrics)
                                   : "";
  if (!finished || run.damaged_lines > 0 || told >= trained) return "";
  return fmt::format("{} ends after epoch {} of {}: the curves are cut off", file_names::metrics, told,
                     trained);
}

// What a reader must know before comparing numbers.
static void add_warnings(const RunFiles& run, const json& report, std::vector<std::string>& warnings) {
  const json version = report["eb_engine"];
  if (version.is_string() && version != version_info()["eb_engine"])
    warnings.push_back(fmt::format("written by eb_engine {}", version.get<std::string>()));
  if (run.damaged_lines)
    warnings.push_back(fmt::format("{} damaged line{} of {} {} left out", run.damaged_lines,
                                   run.damaged_lines == 1 ? "" : "s", file_names::metrics,
                                   run.damaged_lines == 1 ? "was" : "were"));
  if (const std::string lost = lost_epochs(run, report["state"] == json(RunState::Name::finished));
      !lost.empty())
    warnings.push_back(lost);
  if (const size_t bad = report["bad_samples"].size())
    warnings.push_back(fmt::format("{} bad sample{} replaced by others", bad, bad == 1 ? " was" : "s were"));
  const auto& networks = report["networks"];
  if (networks.back()["best_rule"] == "on the test set" || networks[0]["best_rule"] == "on the test set")
    warnings.push_back("best was picked on the test set: data.holdout keeps samples for picking");
  if (networks.size() > 1 && networks[0]["seconds_note"].is_string())
    warnings.push_back("seconds and training FLOPs of dense are projected from the search");
  if (draw_of(run) && draw_of(run)->found_by == engine::name_of(pruning::FoundBy::deadline))
    warnings.push_back("no ticket had emerged by the deadline: this one was drawn there");
  for (const json& phase : report["phases"])
    if (const Number seconds = lenient::number(phase["seconds"], "training");
        phase["joules"].is_number() && seconds && *seconds < 5)
      warnings.push_back("energy of phase " + phase["name"].dump() + " is unreliable: it took under 5 s");
}

static json run_json(RunFiles& run) {
  const RunState state = state_of(run);
  const auto ticket = drawn_ticket(run);
  json phases = phases_json(run);
  json r = {{"path", utf8(run.path.string())},
            {"name", name_of(run)},
            {"seed", or_null(lenient::integer(run.config, "seed"))},
            {"eb_engine", or_null(lenient::words(lenient::value(run.env, "versions"), "eb_engine"))},
            {"state", state.name},
            {"exit_code", or_null(state.exit_code)},
            {"epochs_done", epochs_done(run)},
            {"epochs_planned", epochs_planned(run)},
            {"damaged_lines", run.damaged_lines},
            {"bad_samples", bad_samples(run)},
            {"config_changes", config_changes(run)},
            {"environment", environment_json(run)},
            {"command_lines", run.command_lines},
            {"networks", networks_json(run, phases, ticket, state.name == RunState::Name::finished)},
            {"speedup", speedup(run)},
            {"epochs", epochs_json(run)},
            {"early_bird", search_json(run, ticket)},
            {"layers", layers_json(run, ticket)},
            {"equivalence", equivalence(run)}};
  r["phases"] = std::move(phases);
  if (!state.warning.empty()) run.warnings.push_back(state.warning);
  add_warnings(run, r, run.warnings);
  r["warnings"] = run.warnings;
  return r;
}

json gather_report(const std::vector<fs::path>& paths, const std::vector<std::string>& rows) {
  std::vector<RunFiles> runs;
  json reports = json::array();
  for (const fs::path& path : paths) {
    runs.push_back(read_run(path));
    reports.push_back(run_json(runs.back()));
  }
  json comparison = comparison_json(runs, reports, rows);
  if (!comparison.is_null())
    for (json& report : reports)
      if (report["state"] != json(RunState::Name::finished))
        report["warnings"].push_back("not part of the comparison's means: it has not finished");
  return {{"eb_report", 1},
          {"generated", utc_now()},
          {"eb_engine", version_info()["eb_engine"]},
          {"runs", std::move(reports)},
          {"comparison", std::move(comparison)}};
}

}  // namespace eb::tools
