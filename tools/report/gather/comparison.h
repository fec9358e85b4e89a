// Several runs side by side: those that differ by their seed alone make one row.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "tools/record/run_files.h"

namespace eb::tools {

// `reports` are the RUN objects of `runs`, in the same order. Numbers are of the network that each run
// trained in the end, over the runs of a row that have finished: mean and sample standard deviation. `names`:
// a name for each run's row, or empty. Null for one run.
nlohmann::json comparison_json(const std::vector<RunFiles>& runs, const nlohmann::json& reports,
                               const std::vector<std::string>& names = {});

}  // namespace eb::tools
