// The comparison as a table for a terminal.
#pragma once
#include <string>

#include "tools/report/gather/report.h"

namespace eb::tools {

// A line for each row: means over its finished runs, with the standard deviation of the accuracy.
std::string comparison_text(const ComparisonReport& comparison);

}  // namespace eb::tools
