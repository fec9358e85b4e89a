// `eb_engine compare`: the table of the paper for one experiment. Every variant, ratio and seed is a run of
// its own below --out; the same command goes on where it was interrupted, and one report shows them all.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "engine/file.h"
#include "engine/stop_signal.h"
#include "tools/commands.h"
#include "tools/compare/child.h"
#include "tools/compare/plan.h"
#include "tools/experiment.h"
#include "tools/experiment_fields.h"
#include "tools/report/gather.h"
#include "tools/report/write.h"
#include "tools/resume.h"

namespace eb::tools {

namespace fs = std::filesystem;
using nlohmann::json;

struct CompareFlags {
  CommonFlags common;
  ComparePlan plan{{"dense", "eb", "reinit", "random", "ns"}, {0.3, 0.5, 0.7}, {}};
  std::string out;
  bool dry_run = false;
};

// What every run shares, as `eb_engine train` wants it.
static std::vector<std::string> shared_args(const CompareFlags& f) {
  std::vector<std::string> args = {"train"};
  for (const fs::path& file : f.common.files) args.push_back(file.string());
  for (const std::string& set : f.common.sets) args.insert(args.end(), {"--set", set});
  if (f.common.dtype) args.insert(args.end(), {"--dtype", *f.common.dtype});
  if (f.common.conv) args.insert(args.end(), {"--conv", *f.common.conv});
  args.insert(args.end(), {"--device", f.common.device});
  if (f.common.threads) args.insert(args.end(), {"--threads", std::to_string(f.common.threads)});
  return args;
}

static std::vector<std::string> run_args(const CompareFlags& f, const PlannedRun& run) {
  std::vector<std::string> args = shared_args(f);
  for (const std::string& set : run.sets) args.insert(args.end(), {"--set", set});
  args.insert(args.end(), {"--out", (fs::path(f.out) / run.name).string(), "--name", run.name});
  return args;
}

static engine::Config config_of(const CompareFlags& f, const PlannedRun& run) {
  CommonFlags flags = f.common;
  flags.seed.reset();  // each run has its own
  flags.sets.insert(flags.sets.end(), run.sets.begin(), run.sets.end());
  return load_experiment(flags);
}

// Error 4052 if what is done there was another experiment.
static bool is_done(const CompareFlags& f, const PlannedRun& run) {
  const fs::path directory = fs::path(f.out) / run.name;
  if (!fs::exists(directory / "summary.json")) return false;
  const std::string config = (directory / "config.resolved.json").string();
  const auto before =
      engine::config_from_json(experiment_fields(), json::parse(engine::read_file(config)), config);
  engine::SessionObserver silent;
  require_same_config(before, config_of(f, run), {}, silent);
  return true;
}

static int run_all(const CompareFlags& f, const std::vector<PlannedRun>& runs) {
  int first_failure = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    if (is_done(f, runs[i])) continue;
    std::cerr << fmt::format("[{}/{}] {}\n", i + 1, runs.size(), runs[i].name);
    const int code = run_self(run_args(f, runs[i]));
    if (engine::stop_signal_received() || code == 75) {
      std::cerr << "stopped; the same command goes on\n";
      return 75;
    }
    if (code == 0) continue;
    std::cerr << fmt::format("{} ended with exit code {}; the others go on\n", runs[i].name, code);
    if (!first_failure) first_failure = code;
  }
  return first_failure;
}

// Of the runs that were begun, finished or not.
static void write_comparison(const fs::path& out, const std::vector<PlannedRun>& runs) {
  std::vector<fs::path> begun;
  std::vector<std::string> rows;
  for (const PlannedRun& run : runs) {
    if (!fs::exists(out / run.name / "config.resolved.json")) continue;
    begun.push_back(out / run.name);
    rows.push_back(run.row);
  }
  if (begun.empty()) return;
  write_report(gather_report(begun, rows), out / "report.html");
  std::cerr << "report: " << (out / "report.html").string() << "\n";
}

static void print_plan(const CompareFlags& f, const std::vector<PlannedRun>& runs) {
  for (const PlannedRun& run : runs)
    std::cout << fmt::format("{:<28} {:<6} {}\n", run.name, is_done(f, run) ? "done" : "",
                             fmt::join(run.sets, " "));
}

static int compare(CompareFlags f) {
  if (f.common.seed) f.plan.first_seed = static_cast<int64_t>(*f.common.seed);
  f.plan.duration = load_experiment(f.common).get<std::string>("train.duration");
  const std::vector<PlannedRun> runs = planned_runs(f.plan);
  // All of them are checked before the first one starts: a typo must not surface after a night.
  for (const PlannedRun& r : runs) config_of(f, r);
  if (f.dry_run) {
    print_plan(f, runs);
    return 0;
  }
  fs::create_directories(f.out);
  engine::watch_stop_signals();
  const int code = run_all(f, runs);
  write_comparison(f.out, runs);
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
      ->check(CLI::PositiveNumber);
  sub->add_option("--draw-epochs", f.plan.draw_epochs, "Epochs that the variant \"early\" draws at")
      ->delimiter(',');
  sub->add_flag("--dry-run", f.dry_run, "Print the runs and what they change, and stop");
  sub->callback([&run] { run = [] { return compare(f); }; });
}

}  // namespace eb::tools
