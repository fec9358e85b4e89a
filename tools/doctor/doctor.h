// `eb_engine doctor`: whether this machine can run eb_engine, a line for each thing it needs.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "tools/doctor/line.h"

namespace eb::tools {

// `out`: the folder that runs would go to. `root`: where proc, sys and dev lie.
std::vector<Line> examine(const fs::path& out, const fs::path& root = "/");

// [{"name": "driver", "state": "ok", "saw": "...", "advice": "..."}]
nlohmann::ordered_json to_json(const std::vector<Line>& lines);
void print(const std::vector<Line>& lines);
int exit_code_of(const std::vector<Line>& lines);  // 5 with a problem, else 0

}  // namespace eb::tools
