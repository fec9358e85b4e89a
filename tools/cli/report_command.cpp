// `eb_engine report`: what runs came to, as one page and as numbers.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/json.h"
#include "tools/cli/commands.h"
#include "tools/report/gather/gather.h"
#include "tools/report/page/write.h"

namespace eb::tools {

struct ReportFlags {
  std::vector<std::filesystem::path> runs;
  std::string out, assets;
  bool json = false, has_out = false, has_assets = false;  // a name that is given may be empty
};

// Before any run is read: a name that cannot be written to is a slip of the command line.
static void check_names(const ReportFlags& f) {
  if (!f.has_out && !f.has_assets && !f.json)
    throw Error(errors::report_without_output, "nothing to write", "name the page: -o report.html");
  if (f.has_out) numbers_beside(f.out);
  if (f.has_assets && f.assets.empty())
    throw Error(errors::bad_page_name, "the name of the assets' directory is empty",
                "name one: --assets figures");
}

static int report(const ReportFlags& f) {
  check_names(f);
  const Report report = gather_report(f.runs);
  if (f.has_out) write_report(report, f.out);
  if (f.has_assets) write_assets(report, f.assets);
  if (f.json) std::cout << engine::dump_json(to_json(report), 2) << "\n";
  return 0;
}

Command report_command() {
  const auto f = std::make_shared<ReportFlags>();
  return {
      .name = "report",
      .doc = "A page about a run, or about several side by side",
      .flags = {Flag{"RUN", &f->runs, "Run directories"}.must_be_given(),
                Flag{"-o,--out", &f->out, "The page; its numbers go into a .json beside it"}.tells(
                    &f->has_out),
                Flag{"--assets", &f->assets, "Directory for CSV tables and pictures of the masks"}.tells(
                    &f->has_assets),
                Flag{"--json", &f->json, "Print the numbers as one JSON object"}},
      .run = [f] { return report(*f); },
  };
}

}  // namespace eb::tools
