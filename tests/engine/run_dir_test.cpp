#include "engine/run/run_dir.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "engine/base/error.h"
#include "engine/checkpoint/checkpoint.h"
#include "support/child.h"
#include "support/temp_dir.h"

namespace eb::engine {

using nlohmann::json;

class RunDirTest : public testing::Test {
 protected:
  void TearDown() override { set_fault(""); }
  template <class F>
  static Error error_of(F action) {
    try {
      action();
    } catch (const Error& e) {
      return e;
    }
    return Error(0, "no error");
  }
  TempDir dir_{true};
};

TEST_F(RunDirTest, a_new_run_has_a_name_of_its_own) {
  const RunDir a = RunDir::create(dir_ / "runs", "vgg16-eb50");
  const RunDir b = RunDir::create(dir_ / "runs", "vgg16-eb50");
  EXPECT_NE(a.path(), b.path());
  EXPECT_EQ(a.path().parent_path(), dir_ / "runs" / "vgg16-eb50");
  EXPECT_TRUE(std::regex_match(a.path().filename().string(), std::regex("[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}")));
  EXPECT_TRUE(fs::is_directory(a.path() / "logs"));
  for (const char* name : {"", "..", ".hidden", "a/b", "a b", "a\n", "ü"})
    EXPECT_EQ(error_of([&] { RunDir::create(dir_ / "runs", name); }).code(), 2023) << name;
}

TEST_F(RunDirTest, opens_what_is_a_run_or_nothing_yet) {
  EXPECT_EQ(RunDir::open(dir_ / "a" / "b").path(), dir_ / "a" / "b");
  EXPECT_EQ(RunDir::open(dir_ / "a" / "b").path(), dir_ / "a" / "b");
  EXPECT_EQ(RunDir::open(dir_.path() / "a" / "b" / "").path(), dir_ / "a" / "b");
  fs::create_directory(dir_ / "empty");
  RunDir::open(dir_ / "empty");
  fs::create_directories(dir_ / "other" / "photos");
  EXPECT_EQ(error_of([&] { RunDir::open(dir_ / "other"); }).code(), 2024);
  write_file_synced(dir_ / "file", "x");
  EXPECT_EQ(error_of([&] { RunDir::open(dir_ / "file"); }).code(), 2024);
  EXPECT_FALSE(fs::exists(dir_ / "other" / "run.lock"));
}

TEST_F(RunDirTest, a_second_process_is_told_who_holds_it) {
  int ready[2], done[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(done), 0);
  const pid_t holder = ::fork();
  if (holder == 0) {
    const RunDir run = RunDir::open(dir_ / "run");
    char byte = 'x';
    const bool ok = ::write(ready[1], &byte, 1) == 1 && ::read(done[0], &byte, 1) == 1;
    ::_exit(ok ? 0 : 1);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const Error e = error_of([&] { RunDir::open(dir_ / "run"); });
  EXPECT_EQ(e.code(), 2021);
  EXPECT_EQ(e.exit_code(), 2);
  EXPECT_NE(e.message().find("process " + std::to_string(holder) + " on host "), std::string::npos)
      << e.message();
  ::kill(holder, SIGKILL);  // the lock goes with its holder, however it ends
  int status = 0;
  ::waitpid(holder, &status, 0);
  EXPECT_EQ(RunDir::open(dir_ / "run").path(), dir_ / "run");
  for (const int fd : {ready[0], ready[1], done[0], done[1]}) ::close(fd);
}

TEST_F(RunDirTest, a_moved_run_keeps_its_lock) {
  RunDir a = RunDir::open(dir_ / "run");
  const RunDir b = std::move(a);
  EXPECT_EQ(error_of([&] { RunDir::open(dir_ / "run"); }).code(), 2021);  // a lock belongs to an open file
}

TEST_F(RunDirTest, opening_sweeps_up_after_a_killed_process_only_under_the_lock) {
  {
    const RunDir run = RunDir::open(dir_ / "run");
    fs::create_directories(run.path() / "ckpt" / ".tmp-step-00000001-1-1");
    write_file_synced(run.path() / ".tmp-status.json-1", "{");
    EXPECT_EQ(error_of([&] { RunDir::open(dir_ / "run"); }).code(), 2021);
    EXPECT_TRUE(fs::exists(run.path() / "ckpt" / ".tmp-step-00000001-1-1"));
  }
  const RunDir run = RunDir::open(dir_ / "run");
  EXPECT_TRUE(fs::is_empty(run.path() / "ckpt"));
  EXPECT_FALSE(fs::exists(run.path() / ".tmp-status.json-1"));
}

TEST_F(RunDirTest, status_says_where_it_is_and_how_it_ended) {
  RunDir run = RunDir::open(dir_ / "run");
  run.write_status("search", 120);
  json status = run.read_json("status.json");
  EXPECT_EQ(status["phase"], "search");
  EXPECT_EQ(status["step"], 120);
  EXPECT_EQ(status["pid"], ::getpid());
  EXPECT_TRUE(status["exit_code"].is_null());
  run.write_exit(75);
  status = run.read_json("status.json");
  EXPECT_EQ(status["phase"], "search");
  EXPECT_EQ(status["exit_code"], 75);
  set_fault("enospc@write:1+");
  run.write_status("retrain", 130);
  set_fault("eio@write:1+");
  EXPECT_EQ(error_of([&] { run.write_status("retrain", 130); }).code(), 8001);
  EXPECT_EQ(run.read_json("status.json"), status);
}

TEST_F(RunDirTest, describes_the_run_without_secrets) {
  const RunDir run = RunDir::open(dir_ / "run");
  ::setenv("MY_API_TOKEN", "hunter2", 1);
  ::setenv("OMP_NUM_THREADS", "2", 1);
  run.describe({"eb_engine", "train", "my file.json", "--set", "name=\"it's\""}, {{"seed", 3}},
               {{"eb_engine", "0.1.0"}});
  run.describe({"eb_engine", "train", ""}, {{"seed", 4}}, {});
  ::unsetenv("MY_API_TOKEN");
  ::unsetenv("OMP_NUM_THREADS");
  EXPECT_EQ(run.read_json("config.resolved.json"), (json{{"seed", 4}}));
  EXPECT_EQ(read_file(run.path() / "argv.txt"),
            "eb_engine train 'my file.json' --set 'name=\"it'\\''s\"'\neb_engine train ''\n");
  const std::string env = read_file(run.path() / "env.json");
  EXPECT_EQ(env.find("hunter2"), std::string::npos);
  EXPECT_EQ(json::parse(env)["variables"]["OMP_NUM_THREADS"], "2");
  EXPECT_GT(json::parse(env)["cpus"], 0);
}

TEST_F(RunDirTest, json_files_go_into_folders_and_are_replaced_whole) {
  const RunDir run = RunDir::open(dir_ / "run");
  run.write_json("crash/divergence.json", {{"step", 5}});
  EXPECT_EQ(run.read_json("crash/divergence.json")["step"], 5);
  set_fault("eio@write:1");
  EXPECT_EQ(error_of([&] { run.write_json("crash/divergence.json", {{"step", 6}}); }).code(), 8001);
  EXPECT_EQ(run.read_json("crash/divergence.json")["step"], 5);
  write_file_synced(run.path() / "summary.json", "{half");
  EXPECT_EQ(error_of([&] { run.read_json("summary.json"); }).code(), 4028);
}

}  // namespace eb::engine
