// Where a report goes: names that cannot be written to, and calls that fail half-way.
#include <gtest/gtest.h>

#include "support/report_run.h"

using namespace eb::test;
namespace fs = std::filesystem;

static std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
  return names;
}

TEST(ReportWrite, names_that_are_no_files_are_usage_errors) {
  const TempDir dir;
  make_run(dir / "run");
  RunOptions options;
  options.cwd = dir.path() / "here";
  fs::create_directories(options.cwd / "there");
  using Words = std::vector<std::string>;
  for (const Words& words : {Words{"-o", ""},
                             {"-o", "z/"},
                             {"-o", "there"},
                             {"-o", "there/"},
                             {"-o", "."},
                             {"-o", "", "--json"},
                             {"--assets", ""},
                             {"-o", "a.html", "--assets", ""}}) {
    std::vector<std::string> args = {"report", dir / "run"};
    args.insert(args.end(), words.begin(), words.end());
    const Outcome o = run_engine(args, options);
    EXPECT_EQ(o.exit_code, 2) << words[0] << " " << words[1];
    EXPECT_NE(o.err.find("EB2072"), std::string::npos) << o.err;
    EXPECT_TRUE(o.out.empty());
    EXPECT_EQ(names_in(options.cwd), Words{"there"});
    EXPECT_TRUE(names_in(options.cwd / "there").empty());
  }
}

TEST(ReportWrite, a_call_that_fails_leaves_no_part_of_a_report) {
  const TempDir dir;
  make_run(dir / "run");
  for (const char* fault : {"enospc@write:1", "enospc@write:2", "enospc@write:2+", "eio@fsync:3",
                            "eio@rename:1", "eio@rename:2"}) {
    fs::create_directories(dir / "out");
    RunOptions options;
    options.env = {std::string("EB_FAULT=") + fault};
    const Outcome o = run_engine({"report", dir / "run", "-o", dir / "out/page.html"}, options);
    EXPECT_EQ(o.exit_code, 8) << fault << o.err;
    EXPECT_TRUE(fs::is_empty(dir / "out")) << fault << " leaves " << names_in(dir / "out")[0];
    fs::remove_all(dir / "out");
  }
}

TEST(ReportWrite, a_page_that_fails_leaves_the_report_before_it) {
  const TempDir dir;
  make_run(dir / "run");
  ASSERT_EQ(run_engine({"report", dir / "run", "-o", dir / "page.html"}).exit_code, 0);
  const std::string page = slurp(dir / "page.html"), numbers = slurp(dir / "page.json");
  make_run(dir / "run", R"({"name": "another", "seed": 12345})");
  for (const char* fault : {"enospc@write:2", "eio@rename:2"}) {
    RunOptions options;
    options.env = {std::string("EB_FAULT=") + fault};
    EXPECT_EQ(run_engine({"report", dir / "run", "-o", dir / "page.html"}, options).exit_code, 8) << fault;
    EXPECT_EQ(slurp(dir / "page.html"), page) << fault;
    EXPECT_EQ(slurp(dir / "page.json"), numbers) << fault;
  }
}
