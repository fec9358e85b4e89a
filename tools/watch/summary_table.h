// The table at the end of a run: dense against ticket, what was saved counted and measured.
#pragma once
#include <string>

#include "engine/run/record.h"

namespace eb::tools {

// Values that were not measured print as "not measured", never as 0.
std::string summary_table(const engine::RunSummary& summary);

}  // namespace eb::tools
