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

static std::string production_code() {
  std::string all;
  for (const char* folder : {"engine", "data", "pruning", "quant", "tools"})
    for (const auto& entry : fs::recursive_directory_iterator(eb::test::source_dir() / folder))
      if (const auto type = entry.path().extension(); type == ".cpp" || type == ".h")
        all += eb::test::slurp(entry.path());
  return all;
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

// The first argument of Error or of a helper that makes one.
TEST(ErrorsDoc, errors_are_thrown_by_name) {
  const std::string code = production_code();
  const std::regex by_number(
      R"((?:\bError|\berror|\bfail|\brefuse|\bdamaged|\bbad)\w*\(\s*(\d{4,5})\b|code\(\) [=!<>]=? \d)");
  for (std::sregex_iterator it(code.begin(), code.end(), by_number), end; it != end; ++it)
    ADD_FAILURE() << it->str() << ": its name is in engine/base/error_codes.def";
}

TEST(ErrorsDoc, lists_no_code_that_is_gone) {
  const std::string code = production_code();
  const std::regex use(R"(\berrors::(\w+)|error\[EB(\d+)\])");
  std::set<std::string> used;
  for (std::sregex_iterator it(code.begin(), code.end(), use), end; it != end; ++it)
    used.insert((*it)[(*it)[1].matched ? 1 : 2].str());
  EXPECT_GT(used.size(), 60u);
  for (const eb::errors::Group& group : eb::errors::all())
    for (const eb::errors::Entry& e : group.entries)
      EXPECT_TRUE(used.count(e.name) || used.count(std::to_string(e.code))) << e.name;
}
