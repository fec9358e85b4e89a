// The page of a report.json that need not come from a run.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "tools/report/page/html.h"

namespace eb::test {

inline std::string report_html(const nlohmann::json& report) {
  return tools::report_html(tools::report_from_json(report));
}

}  // namespace eb::test
