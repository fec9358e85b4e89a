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
namespace fs = std::filesystem;

static std::string run_name(const RunFiles& run) {
  if (const Words name = lenient::words(run.config, "name")) return *name;
  return utf8(fs::absolute(run.path).lexically_normal().filename().string());
}

static std::optional<EquivalenceReport> equivalence(const RunFiles& run) {
  const Number difference = draw_of(run) ? draw_of(run)->max_abs_difference : std::nullopt;
  return difference ? std::optional(EquivalenceReport{difference}) : std::nullopt;
}

static std::optional<std::vector<std::string>> bad_samples(const RunFiles& run) {
  if (!run.summary || !run.summary->bad_samples) return std::nullopt;
  std::vector<std::string> list;
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
static void add_warnings(const RunFiles& run, const RunReport& report, std::vector<std::string>& warnings) {
  if (report.eb_engine && version_info()["eb_engine"] != *report.eb_engine)
    warnings.push_back(fmt::format("written by eb_engine {}", *report.eb_engine));
  if (run.damaged_lines)
    warnings.push_back(fmt::format("{} damaged line{} of {} {} left out", run.damaged_lines,
                                   run.damaged_lines == 1 ? "" : "s", file_names::metrics,
                                   run.damaged_lines == 1 ? "was" : "were"));
  if (const auto lost = lost_epochs(run, report.state == RunState::Name::finished); !lost.empty())
    warnings.push_back(lost);
  if (const size_t bad = report.bad_samples ? report.bad_samples->size() : 0)
    warnings.push_back(fmt::format("{} bad sample{} replaced by others", bad, bad == 1 ? " was" : "s were"));
  const NetworkReport &first = report.networks.front(), &last = report.networks.back();
  if (last.best_rule == BestRule::test || first.best_rule == BestRule::test)
    warnings.push_back("best was picked on the test set: data.holdout keeps samples for picking");
  if (report.networks.size() > 1 && first.seconds_note)
    warnings.push_back(first.seconds ? "seconds and training FLOPs of dense are projected from the search"
                                     : "no time of the dense network: " + *first.seconds_note);
  if (draw_of(run) && draw_of(run)->found_by == name_of(pruning::FoundBy::deadline))
    warnings.push_back("no ticket had emerged by the deadline: this one was drawn there");
  for (const PhaseReport& phase : report.phases)
    if (phase.joules && phase.seconds.training && *phase.seconds.training < 5)
      warnings.push_back("energy of phase " + or_null(phase.name).dump() +
                         " is unreliable: it took under 5 s");
}

static RunReport run_report(RunFiles& run) {
  const RunState state = state_of(run);
  const auto ticket = drawn_ticket(run);
  RunReport r;
  r.path = utf8(run.path.string());
  r.name = run_name(run);
  r.seed = lenient::integer(run.config, "seed");
  r.eb_engine = lenient::words(lenient::value(run.env, "versions"), "eb_engine");
  r.state = state.name;
  r.exit_code = state.exit_code;
  r.epochs_done = epochs_done(run);
  r.epochs_planned = epochs_planned(run);
  r.damaged_lines = run.damaged_lines;
  r.bad_samples = bad_samples(run);
  r.config_changes = config_changes(run);
  r.environment = environment_of(run);
  r.command_lines = run.command_lines;
  r.phases = phase_reports(run);
  r.networks = networks_of(run, r.phases, ticket, state.name == RunState::Name::finished);
  if (run.summary) r.speedup = run.summary->speedup;
  r.epochs = run.epochs;
  r.early_bird = search_of(run, ticket);
  r.layers = layers_of(run, ticket);
  r.equivalence = equivalence(run);
  if (!state.warning.empty()) run.warnings.push_back(state.warning);
  add_warnings(run, r, run.warnings);
  r.warnings = run.warnings;
  return r;
}

Report gather_report(const std::vector<fs::path>& paths, const std::vector<std::string>& rows) {
  std::vector<RunFiles> runs;
  Report report;
  for (const fs::path& path : paths) {
    runs.push_back(read_run(path));
    report.runs.push_back(run_report(runs.back()));
  }
  report.comparison = comparison_of(runs, report.runs, rows);
  if (report.comparison)
    for (RunReport& run : report.runs)
      if (run.state != RunState::Name::finished)
        run.warnings.push_back("not part of the comparison's means: it has not finished");
  report.generated = utc_now();
  report.eb_engine = version_info()["eb_engine"];
  return report;
}

}  // namespace eb::tools
