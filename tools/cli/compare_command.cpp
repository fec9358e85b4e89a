// `eb_engine compare`: the table of the paper for one experiment. Every variant, ratio and seed is a run of
// its own below --out; the same command goes on where it was interrupted, and one report shows them all.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/stop_signal.h"
#include "engine/base/text.h"
#include "engine/run/names.h"
#include "tools/cli/commands.h"
#include "tools/compare/plan.h"
#include "tools/compare/runner.h"
#include "tools/experiment/experiment.h"
#include "tools/report/gather/gather.h"
#include "tools/report/page/write.h"

namespace eb::tools {

namespace fs = std::filesystem;
using nlohmann::json;

struct CompareFlags {
  CommonFlags common;
  ComparePlan plan{{"dense", "eb", "reinit", "random", "ns"}, {0.3, 0.5, 0.7}, {}};
  std::string out;
  bool dry_run = false, search_alone = false;
};

// Runs of the same experiment that earlier calls left below `out`, by name.
static std::vector<PlannedRun> others_in(const fs::path& out, const ComparePlan& plan,
                                         const std::vector<PlannedRun>& runs) {
  std::vector<PlannedRun> others;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(out, none)) {
    const std::string name = entry.path().filename().string();
    const auto same = [&](const PlannedRun& run) { return run.name == name; };
    if (std::any_of(runs.begin(), runs.end(), same)) continue;
    if (auto run = planned_run(plan, name)) others.push_back(std::move(*run));
  }
  std::sort(others.begin(), others.end(),
            [](const PlannedRun& a, const PlannedRun& b) { return a.name < b.name; });
  return others;
}

// Of all runs of the experiment that were begun, finished or not, whichever call began them: a call for one
// more row must not cost the report the others.
static void write_comparison(const fs::path& out, const ComparePlan& plan, const CompareRunner& runner,
                             std::vector<PlannedRun> runs) {
  for (PlannedRun& other : others_in(out, plan, runs)) runs.push_back(std::move(other));
  std::vector<fs::path> begun;
  std::vector<std::string> rows;
  for (const PlannedRun& run : runs) {
    if (!runner.is_begun_as(run)) continue;
    begun.push_back(out / run.name);
    rows.push_back(run.row);
  }
  if (begun.empty()) return;
  write_report(gather_report(begun, rows), out / "report.html");
  std::cerr << fmt::format("report of {} runs: {}\n", begun.size(),
                           engine::printable_path(out / "report.html"));
}

static void require_no_run(const fs::path& out) {
  std::error_code none;
  if (fs::exists(out / engine::file_names::lock, none))
    throw Error(2024, engine::quote_path(out) + " is the directory of one run",
                "--out of compare is a directory for many; name another");
}

static void print_plan(const CompareRunner& runner, const std::vector<PlannedRun>& runs) {
  for (const PlannedRun& run : runs)
    std::cout << fmt::format("{:<28} {:<6} {}\n", run.name, runner.is_done(run) ? "done" : "",
                             fmt::join(run.sets, " "));
}

static int compare(CompareFlags f) {
  if (f.common.seed) f.plan.first_seed = static_cast<int64_t>(*f.common.seed);
  const engine::Config experiment = load_experiment(f.common);
  f.plan.duration = experiment.get<std::string>("train.duration");
  f.plan.watch = experiment.get<std::vector<double>>("early_bird.watch");
  const std::vector<PlannedRun> runs = planned_runs(f.plan);
  // All of them are checked before the first one starts: a typo must not surface after a night.
  CompareRunner runner(f.common, f.out, !f.search_alone);
  for (const PlannedRun& r : runs) runner.config_of(r);
  if (f.dry_run) {
    print_plan(runner, runs);
    return 0;
  }
  require_no_run(f.out);
  engine::make_directories(f.out);
  engine::watch_stop_signals();
  const int code = runner.run_all(runs);
  write_comparison(f.out, f.plan, runner, runs);
  return code;
}

static std::string variants_help() {
  std::string text = "Which, of:";
  for (const CompareVariant& v : compare_variants()) text += fmt::format("\n{}: {}", v.name, v.what);
  return text;
}

void add_compare_command(CLI::App& app, std::function<int()>& run) {
  auto* sub = app.add_subcommand("compare",
                                 "Early-Bird beside its baselines: one run for each variant, ratio and seed");
  static CompareFlags f;
  add_common_flags(*sub, f.common);
  sub->add_option("--out", f.out, "Directory of all runs and the report")->required();
  sub->add_option("--variants", f.plan.variants, variants_help())->delimiter(',')->capture_default_str();
  sub->add_option("--ratios", f.plan.ratios, "Pruning ratios")->delimiter(',')->capture_default_str();
  sub->add_option("--seeds", f.plan.seeds, "Runs of each, with seeds from --seed (default 1) on")
      ->check(CLI::Range(1, 1'000'000));
  sub->add_option("--draw-epochs", f.plan.draw_epochs, "Epochs that the variant \"early\" draws at")
      ->delimiter(',');
  sub->add_flag("--search-alone", f.search_alone,
                "Every run searches for itself, instead of one search for all runs of a seed");
  sub->add_flag("--dry-run", f.dry_run, "Print the runs and what they change, and stop");
  sub->callback([&run] { run = [] { return compare(f); }; });
}

}  // namespace eb::tools
