// The table at the end of a run: dense against ticket, what was saved counted and measured.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace eb::tools {

// `summary` is a run's summary.json. Values that were not measured print as "not measured", never as 0.
std::string summary_table(const nlohmann::json& summary);

}  // namespace eb::tools
