// Several runs side by side: those that differ by their seed alone make one row.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "tools/record/run_files.h"
#include "tools/report/gather/report.h"

namespace eb::tools {

// `reports` are those of `runs`, in the same order. Numbers are of the network that each run
// trained in the end, over the runs of a row that have finished: mean and sample standard deviation. `names`:
// a name for each run's row, or empty. None for one run.
std::optional<ComparisonReport> comparison_of(const std::vector<RunFiles>& runs,
                                              const std::vector<RunReport>& reports,
                                              const std::vector<std::string>& names = {});

}  // namespace eb::tools
