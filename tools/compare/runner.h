// Carries out the runs of a comparison one after the other, each in a process of its own.
#pragma once
#include <string>
#include <vector>

#include "engine/config/config.h"
#include "tools/compare/plan.h"
#include "tools/experiment/experiment.h"

namespace eb::tools {

class CompareRunner {
 public:
  CompareRunner(CommonFlags common, std::filesystem::path out, bool share_search, bool quiet = false);

  engine::Config config_of(const PlannedRun& run) const;
  // Error 4052 if what is done there was another experiment.
  bool is_done(const PlannedRun& run) const;
  // Whether what was begun there is this run and no other experiment's.
  bool is_begun_as(const PlannedRun& run) const;
  // Skips what is done. Returns 0, 75 when stopped by a signal, or the exit code of the first run that
  // failed.
  int run_all(const std::vector<PlannedRun>& runs);

 private:
  void require_same(const PlannedRun& run) const;  // error 4052
  std::vector<std::string> sets_of(const PlannedRun& run) const;
  std::vector<std::string> args_of(const PlannedRun& run) const;
  std::filesystem::path directory(const PlannedRun& run) const { return out_ / run.name; }
  int run_one(const PlannedRun& run, const std::vector<PlannedRun>& runs);
  PlannedRun search_of(int64_t seed, const std::vector<PlannedRun>& runs) const;
  int run_search(PlannedRun search) const;
  void remove_search_if_done(int64_t seed, const std::vector<PlannedRun>& runs) const;

  CommonFlags common_;
  std::filesystem::path out_;
  bool share_search_, quiet_;
};

}  // namespace eb::tools
