#include "tools/compare/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/stop_signal.h"
#include "engine/run/names.h"
#include "engine/run/session.h"
#include "tools/compare/child.h"
#include "tools/compare/shared_search.h"
#include "tools/experiment/experiment_fields.h"
#include "tools/experiment/init_from.h"
#include "tools/experiment/resume.h"

namespace eb::tools {

namespace fs = std::filesystem;
using nlohmann::json;

CompareRunner::CompareRunner(CommonFlags common, fs::path out, bool share_search, bool quiet)
    : common_(std::move(common)), out_(std::move(out)), share_search_(share_search), quiet_(quiet) {
  common_.seed.reset();  // each run has its own
}

static std::string key_of(const std::string& set) {
  return set.substr(0, set.find('='));
}

// The user's overrides and then the run's; of a key in both only the run's.
std::vector<std::string> CompareRunner::sets_of(const PlannedRun& run) const {
  std::vector<std::string> sets;
  for (const std::string& set : common_.sets)
    if (std::none_of(run.sets.begin(), run.sets.end(),
                     [&](const std::string& own) { return key_of(own) == key_of(set); }))
      sets.push_back(set);
  sets.insert(sets.end(), run.sets.begin(), run.sets.end());
  return sets;
}

std::vector<std::string> CompareRunner::args_of(const PlannedRun& run) const {
  std::vector<std::string> args = {"train"};
  for (const fs::path& file : common_.files) args.push_back(file.string());
  for (const std::string& set : sets_of(run)) args.insert(args.end(), {"--set", set});
  if (common_.dtype) args.insert(args.end(), {"--dtype", *common_.dtype});
  if (common_.conv) args.insert(args.end(), {"--conv", *common_.conv});
  args.insert(args.end(), {"--device", common_.device});
  if (common_.threads) args.insert(args.end(), {"--threads", std::to_string(common_.threads)});
  args.insert(args.end(), {"--out", directory(run).string(), "--name", run.name});
  if (quiet_) args.push_back("--quiet");
  return args;
}

engine::Config CompareRunner::config_of(const PlannedRun& run) const {
  CommonFlags flags = common_;
  flags.sets = sets_of(run);
  engine::Config config = load_experiment(flags);
  config.set("name", run.name);
  take_network(config, directory(run), [](const std::string&) {});  // as `train` will
  return config;
}

static engine::Config config_in(const fs::path& run) {
  const std::string path = (run / engine::file_names::config).string();
  return engine::config_from_json(experiment_fields(),
                                  engine::parse_json(engine::read_file(path), path, false), path);
}

void CompareRunner::require_same(const PlannedRun& run) const {
  engine::SessionObserver silent;
  // Which other ratios were watched changes nothing for this one.
  require_same_config(config_in(directory(run)), config_of(run), {"early_bird.watch"}, silent);
}

bool CompareRunner::is_done(const PlannedRun& run) const {
  std::error_code none;
  if (!fs::exists(directory(run) / engine::file_names::summary, none)) return false;
  require_same(run);
  // One that is to be longer now goes on.
  return config_in(directory(run)).at("train.duration") == config_of(run).at("train.duration");
}

bool CompareRunner::is_begun_as(const PlannedRun& run) const {
  std::error_code none;
  if (!fs::exists(directory(run) / engine::file_names::config, none)) return false;
  try {
    require_same(run);
    return true;
  } catch (const Error&) {  // another experiment's, or damaged
    return false;
  } catch (const json::exception&) {
    return false;
  }
}

int CompareRunner::run_all(const std::vector<PlannedRun>& runs) {
  int first_failure = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    if (is_done(runs[i])) continue;
    std::cerr << fmt::format("[{}/{}] {}\n", i + 1, runs.size(), runs[i].name);
    const int code = run_one(runs[i], runs);
    if (engine::stop_signal_received() || code == 75) {
      std::cerr << fmt::format("stopped in {}; the same compare command goes on\n", runs[i].name);
      return 75;
    }
    remove_search_if_done(runs[i].seed, runs);
    if (code == 0) continue;
    std::cerr << fmt::format("{} ended with exit code {}; the others go on\n", runs[i].name, code);
    if (!first_failure) first_failure = code;
  }
  return first_failure;
}

int CompareRunner::run_one(const PlannedRun& run, const std::vector<PlannedRun>& runs) {
  const bool alone = std::count_if(runs.begin(), runs.end(),
                                   [&](const PlannedRun& r) { return r.searches && r.seed == run.seed; }) < 2;
  if (share_search_ && run.searches && !alone && !is_begun(directory(run))) {
    const PlannedRun search = search_of(run.seed, runs);
    if (const int code = run_search(search)) return code;
    if (const int64_t epoch = begin_from_search(directory(search), directory(run), config_of(run)))
      std::cerr << fmt::format("begins from the shared search at epoch {}\n", epoch);
  }
  return run_self(args_of(run));
}

// --- the shared search of a seed ---

PlannedRun CompareRunner::search_of(int64_t seed, const std::vector<PlannedRun>& runs) const {
  std::vector<engine::Config> configs;
  const PlannedRun* any = nullptr;
  for (const PlannedRun& run : runs)
    if (run.searches && run.seed == seed) configs.push_back(config_of(run)), any = &run;
  PlannedRun search{fmt::format("search-seed{}", seed), "", seed, true, {}};
  // The ratio it is told to draw does not matter, it stops before: but all that are drawn must be watched.
  for (const std::string& set : any->sets)
    if (set.starts_with("seed=") || set.starts_with("early_bird.watch=")) search.sets.push_back(set);
  for (const std::string& set : shared_search_sets(configs)) search.sets.push_back(set);
  return search;
}

int CompareRunner::run_search(PlannedRun search) const {
  const fs::path run = directory(search);
  if (fs::exists(run / engine::file_names::config)) {
    // Of a call with other variants it may end later, which is fine, or too early.
    const engine::Config before = config_in(run);
    if (search_reaches(before, config_of(search)))
      search.sets.push_back("early_bird.draw_at=" + before.get<std::string>("early_bird.draw_at"));
    else
      engine::remove_tree(run);
  }
  if (is_done(search)) return 0;
  std::cerr << fmt::format("{}: the search that the runs with seed {} share\n", search.name, search.seed);
  std::vector<std::string> args = args_of(search);
  args.insert(args.end(), {"--until", "search"});
  return run_self(args);
}

void CompareRunner::remove_search_if_done(int64_t seed, const std::vector<PlannedRun>& runs) const {
  for (const PlannedRun& run : runs)
    if (run.seed == seed && !is_done(run)) return;
  engine::remove_tree(out_ / fmt::format("search-seed{}", seed));
}

}  // namespace eb::tools
