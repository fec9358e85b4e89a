// `eb_engine compare`: the table of the paper for one experiment. Every variant, ratio and seed is a run of
// its own below --out; the same command goes on where it was interrupted, and one report shows them all.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/stop_signal.h"
#include "engine/base/text.h"
#include "engine/run/names.h"
#include "tools/cli/commands.h"
#include "tools/cli/common_flags.h"
#include "tools/cli/compare_table.h"
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
  bool dry_run = false, search_alone = false, json = false, quiet = false;
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
static void write_comparison(const CompareFlags& f, const CompareRunner& runner,
                             std::vector<PlannedRun> runs) {
  const fs::path out = f.out;
  for (PlannedRun& other : others_in(out, f.plan, runs)) runs.push_back(std::move(other));
  std::vector<fs::path> begun;
  std::vector<std::string> rows;
  for (const PlannedRun& run : runs) {
    if (!runner.is_begun_as(run)) continue;
    begun.push_back(out / run.name);
    rows.push_back(run.row);
  }
  if (begun.empty()) return;
  const Report report = gather_report(begun, rows);
  write_report(report, out / "report.html");
  if (f.json)
    std::cout << engine::dump_json(to_json(report)["comparison"], 2) << "\n";
  else if (report.comparison)
    std::cout << comparison_text(*report.comparison);
  std::cerr << fmt::format("report of {} runs: {}\n", begun.size(), engine::shell_word(out / "report.html"));
}

static void require_no_run(const fs::path& out) {
  std::error_code none;
  if (fs::exists(out / engine::file_names::lock, none))
    throw Error(errors::out_is_no_run, engine::quote_path(out) + " is the directory of one run",
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
  CompareRunner runner(f.common, f.out, !f.search_alone, f.quiet);
  for (const PlannedRun& r : runs) runner.config_of(r);
  if (f.dry_run) {
    print_plan(runner, runs);
    return 0;
  }
  require_no_run(f.out);
  engine::make_directories(f.out);
  engine::watch_stop_signals();
  const int code = runner.run_all(runs);
  write_comparison(f, runner, runs);
  return code;
}

static std::string variants_help() {
  std::string text = "Which, of:";
  for (const CompareVariant& v : compare_variants()) text += fmt::format("\n{}: {}", v.name, v.what);
  return text;
}

Command compare_command() {
  const auto f = std::make_shared<CompareFlags>();
  return {
      .name = "compare",
      .doc = "Early-Bird beside its baselines: one run for each variant, ratio and seed",
      .flags = with_common_flags(
          f->common,
          {Flag{"--out", &f->out, "Directory of all runs and the report"}.must_be_given(),
           Flag{"--variants", &f->plan.variants, variants_help()}.split_at_commas().shows_default(),
           Flag{"--ratios", &f->plan.ratios, "Pruning ratios"}.split_at_commas().shows_default(),
           Flag{"--seeds", &f->plan.seeds, "Runs of each, with seeds from --seed (default 1) on"}.range(
               1, 1'000'000),
           Flag{"--draw-epochs", &f->plan.draw_epochs, "Epochs that the variant \"early\" draws at"}
               .split_at_commas(),
           Flag{"--search-alone", &f->search_alone,
                "Every run searches for itself, instead of one search for all runs of a seed"},
           Flag{"--dry-run", &f->dry_run, "Print the runs and what they change, and stop"},
           Flag{"--json", &f->json, "Print the rows as one JSON object; null for a single run"},
           Flag{"-q,--quiet", &f->quiet, "No progress of the runs"}}),
      .run = [f] { return compare(*f); },
  };
}

}  // namespace eb::tools
