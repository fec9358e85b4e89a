// A report as a page for a person: one self-contained HTML file without script or network.
#pragma once
#include <string>

#include "tools/report/gather/report.h"

namespace eb::tools {

// Shows what `report` holds and says where it holds nothing; no report makes it throw. Text in it is escaped.
std::string report_html(const Report& report);

}  // namespace eb::tools
