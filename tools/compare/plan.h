// Which runs a comparison consists of: every variant, ratio and seed, each as overrides of one experiment.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace eb::tools {

struct ComparePlan {
  std::vector<std::string> variants;  // names of compare_variants()
  std::vector<double> ratios;
  std::vector<int64_t> draw_epochs;  // of the variant "early"
  int64_t seeds = 1, first_seed = 1;
  std::string duration;  // train.duration of the experiment: variants that prune a trained network draw then
  std::vector<double> watch = {};  // early_bird.watch of the experiment
};

struct PlannedRun {
  std::string name;  // folder of the run: "eb-p50-seed1"
  std::string row;   // what its seeds have in common: "eb p=0.5"
  int64_t seed;
  bool searches;                  // for a ticket; runs of one seed that do share the search
  std::vector<std::string> sets;  // "key=value"
};

struct CompareVariant {
  const char* name;
  const char* what;  // one line for people
};
const std::vector<CompareVariant>& compare_variants();

// Seed by seed, so that an unfinished comparison has whole rows of few seeds. Error 2080 for an unknown
// variant, 2081 for "early" without epochs or epochs without "early", 2030 for a ratio outside (0, 1), 2082
// for ratios too close for different names. What is asked for twice is planned once.
std::vector<PlannedRun> planned_runs(const ComparePlan& plan);

// The run that has this name in some plan of the same experiment; none if no plan makes such a name.
std::optional<PlannedRun> planned_run(const ComparePlan& plan, const std::string& name);

}  // namespace eb::tools
