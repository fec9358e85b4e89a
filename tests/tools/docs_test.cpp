// docs/trace.md names files and functions; they must exist.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>

static std::string read(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Docs, trace_names_existing_files_and_functions) {
  const std::filesystem::path root = EB_SOURCE_DIR;
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
