// Everything a report shows, from the files of run directories alone (docs/report.md). What was
// not measured or cannot be read is null, never 0. Works on runs that go on, were stopped or killed, or come
// from another version.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "tools/report/gather/report.h"

namespace eb::tools {

// Error 4070 for a path that is no run directory. `rows`: what the runs of one row of the comparison are
// called, for each run; empty takes what the configs differ in.
Report gather_report(const std::vector<std::filesystem::path>& runs,
                     const std::vector<std::string>& rows = {});

}  // namespace eb::tools
