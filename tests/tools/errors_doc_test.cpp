// docs/errors.md is written from the table of error codes, which holds every code that the source uses and no
// other.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>

#include "engine/base/error_codes.h"
#include "support/paths.h"
#include "support/run_engine.h"

namespace fs = std::filesystem;

static std::set<int> codes_in(const std::string& text, const std::regex& pattern) {
  std::set<int> codes;
  for (auto it = std::sregex_iterator(text.begin(), text.end(), pattern); it != std::sregex_iterator(); ++it)
    codes.insert(std::stoi((*it)[1].str()));
  return codes;
}

// Codes as they are thrown: the first argument of Error or of a helper that makes one, or part of a printed
// EBnnnn.
static std::set<int> codes_in_source() {
  const std::regex thrown(
      R"((?:\bError|\berror|\bfail|\brefuse|\bdamaged|\bbad)\w*\(\s*(\d{4,5})\b|error\[EB(\d{4,5})\])");
  std::set<int> codes;
  for (const char* folder : {"engine", "data", "pruning", "quant", "tools"})
    for (const auto& entry : fs::recursive_directory_iterator(eb::test::source_dir() / folder)) {
      if (entry.path().extension() != ".cpp") continue;
      const std::string text = eb::test::slurp(entry.path());
      for (auto it = std::sregex_iterator(text.begin(), text.end(), thrown); it != std::sregex_iterator();
           ++it)
        codes.insert(std::stoi((*it)[1].matched ? (*it)[1].str() : (*it)[2].str()));
    }
  return codes;
}

TEST(ErrorsDoc, is_written_from_the_table) {
  EXPECT_EQ(eb::test::slurp(eb::test::source_dir() / "docs/errors.md"),
            eb::test::run_engine({"config", "errors"}).out)
      << "run: build/eb_engine config errors > docs/errors.md";
}

TEST(ErrorsDoc, codes_ascend_within_their_exit_code_and_names_differ) {
  std::set<std::string> names;
  for (const eb::errors::Group& group : eb::errors::all()) {
    int last = 0;
    for (const eb::errors::Entry& e : group.entries) {
      EXPECT_EQ(e.code / 1000, group.exit_code) << e.name;
      EXPECT_GT(e.code, last) << e.name;
      EXPECT_TRUE(names.insert(e.name).second) << e.name;
      last = e.code;
    }
  }
  EXPECT_EQ(eb::errors::checkpoint_hash, 4022);
}

TEST(ErrorsDoc, lists_every_code) {
  const auto listed =
      codes_in(eb::test::slurp(eb::test::source_dir() / "docs/errors.md"), std::regex(R"(\| EB(\d+) \|)"));
  const auto thrown = codes_in_source();
  EXPECT_GT(thrown.size(), 60u);
  for (int code : thrown) EXPECT_TRUE(listed.count(code)) << "EB" << code << " is not in docs/errors.md";
}

TEST(ErrorsDoc, lists_no_code_that_is_gone) {
  std::string all;
  for (const char* folder : {"engine", "data", "pruning", "quant", "tools"})
    for (const auto& entry : fs::recursive_directory_iterator(eb::test::source_dir() / folder))
      if (entry.path().extension() == ".cpp") all += eb::test::slurp(entry.path());
  for (int code :
       codes_in(eb::test::slurp(eb::test::source_dir() / "docs/errors.md"), std::regex(R"(\| EB(\d+) \|)")))
    EXPECT_NE(all.find(std::to_string(code)), std::string::npos) << "EB" << code;
}
