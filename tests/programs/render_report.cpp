// render_report REPORT.json PAGE.html: the page of a report.json that need not come from a run. For tests.
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "tools/report/page/html.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: render_report REPORT.json PAGE.html\n";
    return 2;
  }
  std::ifstream in(argv[1]);
  std::ofstream out(argv[2], std::ios::binary);
  out << eb::tools::report_html(eb::tools::report_from_json(nlohmann::json::parse(in)));
  return out.flush() ? 0 : 8;
}
