// docs/trace.md names files and functions, and comments name sections of docs/method.md; they must exist.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "support/paths.h"

static std::string read(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Docs, trace_names_existing_files_and_functions) {
  const std::filesystem::path root = eb::test::source_dir();
  const std::string text = read(root / "docs/trace.md");
  const std::regex stop(R"(\| \d+ \| `([^`]+)` `([^`]+)` \|)");
  int stops = 0;
  for (auto it = std::sregex_iterator(text.begin(), text.end(), stop); it != std::sregex_iterator();
       ++it, ++stops) {
    const auto file = root / (*it)[1].str();
    ASSERT_TRUE(std::filesystem::exists(file)) << file;
    const std::regex definition("\\b" + (*it)[2].str() + "\\(");
    EXPECT_TRUE(std::regex_search(read(file), definition)) << (*it)[2].str() << " is not in " << file;
  }
  EXPECT_EQ(stops, 10);
}

// "docs/method.md 1.2, 7 and 9" names three sections.
TEST(Docs, comments_name_sections_that_the_method_has) {
  const std::filesystem::path root = eb::test::source_dir();
  const std::string method = read(root / "docs/method.md");
  const std::regex heading(R"(\n###? (\d(?:\.\d)?)\.? )"),
      reference(R"(docs/method\.md((?:(?:,| and)? \d(?:\.\d)?)*))");
  const std::regex number(R"(\d(?:\.\d)?)");
  std::set<std::string> sections;
  for (std::sregex_iterator it(method.begin(), method.end(), heading), end; it != end; ++it)
    sections.insert((*it)[1].str());
  int references = 0;
  for (const char* folder : {"engine", "kernels", "data", "pruning", "quant", "tools", "tests"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const auto type = entry.path().extension();
      if ((type != ".h" && type != ".cpp") || entry.path().filename() == "docs_test.cpp") continue;
      const std::string text = read(entry.path());
      for (std::sregex_iterator it(text.begin(), text.end(), reference), end; it != end; ++it, ++references) {
        const std::string named = (*it)[1].str();
        std::sregex_iterator n(named.begin(), named.end(), number);
        EXPECT_NE(n, end) << entry.path() << " names no section";
        for (; n != end; ++n) EXPECT_TRUE(sections.count(n->str())) << entry.path() << " " << n->str();
      }
    }
  EXPECT_GT(references, 30);
}
