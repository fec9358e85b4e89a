// The names of a run's files are literals in two headers and nowhere else.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "engine/run/names.h"
#include "support/paths.h"

namespace fs = std::filesystem;
namespace names = eb::engine::file_names;

// Names of a run that stand as literals in a line of C++.
static std::vector<std::string> spelled(const std::string& line) {
  std::vector<std::string> found;
  for (const std::string name :
       {names::lock, names::config, names::arguments, names::environment, names::status, names::metrics,
        names::summary, names::divergence, names::report, names::data_files, names::latest, names::best,
        names::manifest, names::state, names::optimizer, names::hooks})
    if (line.find('"' + name + '"') != line.npos) found.push_back(name);
  for (const std::string folder : {names::checkpoints, names::logs, names::masks, names::tickets,
                                   names::averaged, names::dense, names::events})
    if (line.find("/ \"" + folder + '"') != line.npos) found.push_back(folder);
  for (const std::string key : {names::distance_key, names::kept_key, names::threshold_key})
    if (line.find('"' + key) != line.npos) found.push_back(key);
  return found;
}

TEST(RunNames, no_file_but_the_two_headers_spells_one) {
  int files = 0;
  for (const char* folder : {"engine", "data", "pruning", "quant", "tools"})
    for (const auto& entry : fs::recursive_directory_iterator(eb::test::source_dir() / folder)) {
      const std::string extension = entry.path().extension();
      if (entry.path().filename() == "names.h" || (extension != ".h" && extension != ".cpp")) continue;
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);)
        for (const std::string& name : spelled(line)) ADD_FAILURE() << entry.path() << " spells " << name;
      ++files;
    }
  EXPECT_GT(files, 100);
}

TEST(RunNames, a_spelled_name_is_seen) {
  EXPECT_EQ(spelled(R"(open(run / "metrics.jsonl");)").size(), 1u);
  EXPECT_EQ(spelled(R"(copy(from / "masks", to);)").size(), 1u);
  EXPECT_EQ(spelled(R"(line["eb/distance_p30"])").size(), 1u);
  EXPECT_TRUE(spelled(R"(seconds["masks"] = open(run / names::metrics);)").empty());
}

TEST(RunNames, files_of_a_ratio_carry_its_name) {
  EXPECT_EQ(names::mask_file("p30"), "p30.bits");
  EXPECT_EQ(names::ticket_file("p50", 600, 50), "p50-ep12.safetensors");
  EXPECT_EQ(names::ticket_file("p50", 34, 50), "p50-st34.safetensors");
}
