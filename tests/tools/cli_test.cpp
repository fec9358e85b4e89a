// What scripts rely on: the facts that commands print, their exit codes and their suggestions.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "support/run_engine.h"

using namespace eb::test;
using nlohmann::json;
namespace fs = std::filesystem;

static json facts(const std::vector<std::string>& args) {
  const Outcome o = run_engine(args);
  EXPECT_EQ(o.exit_code, 0) << o.err;
  return json::parse(o.out, nullptr, false);
}

TEST(Cli, bench_step_prints_what_it_measured) {
  const TempDir dir;
  const std::string config = tiny_config(dir);
  const json dense = facts({"bench", "step", config, "--batch", "16", "--steps", "3", "--json"});
  for (const char* key :
       {"images_per_s", "step_ms", "batch", "dtype", "device", "params", "flops_per_image", "peak_rss_mib"})
    EXPECT_TRUE(dense.contains(key)) << key;
  EXPECT_EQ(dense["batch"], 16);
  EXPECT_EQ(dense["dtype"], "f32");
  EXPECT_NEAR(dense["images_per_s"].get<double>() * dense["step_ms"].get<double>(), 16e3, 1);
  const json half = facts({"bench", "step", config, "--batch", "16", "--steps", "3", "--prune", "0.5",
                           "--dtype", "bf16", "--json"});
  EXPECT_LT(half["params"], dense["params"]);
  EXPECT_EQ(half["dtype"], "bf16");
}

static void expect_refused(const std::vector<std::string>& args, int exit_code, const std::string& code) {
  const Outcome o = run_engine(args);
  EXPECT_EQ(o.exit_code, exit_code) << o.err;
  EXPECT_NE(o.err.find(code), std::string::npos) << o.err;
}

TEST(Cli, conv_names_who_convolves) {
  const TempDir dir;
  const std::string config = tiny_config(dir), run = dir / "run";
  for (const char* command : {"train", "bench"}) {
    std::vector<std::string> args = {command, config, "--conv", "cudnn"};
    if (args[0] == "bench") args.insert(args.begin() + 1, "step");
    expect_refused(args, 5, "EB5003");
  }
  expect_refused({"train", config, "--set", "cuda.conv=cudnn"}, 5, "--conv ours");
  expect_refused({"train", config, "--conv", "theirs"}, 2, "cudnn");
  expect_refused({"train", config, "--set", "cuda.conv=theirs"}, 2, "EB2005");
  // auto is ours where there is nothing to choose from.
  EXPECT_EQ(
      facts({"bench", "step", config, "--batch", "4", "--steps", "1", "--conv", "auto", "--json"})["conv"],
      "auto");
  ASSERT_EQ(run_engine({"train", config, "--out", run, "-q", "--max-steps", "2", "--conv", "auto"}).exit_code,
            75);
  expect_refused({"train", config, "--out", run, "-q"}, 4, "cuda.conv");
  const json as_trained = facts({"eval", run, "--json"}),
             ours = facts({"eval", run, "--conv", "ours", "--json"});
  EXPECT_EQ(as_trained["loss"], ours["loss"]);
  expect_refused({"eval", run, "--conv", "cudnn"}, 5, "EB5003");
}

TEST(Cli, bf16_trains_draws_and_compacts) {
  const TempDir dir;
  const json s = facts({"train", tiny_config(dir), "--dtype", "bf16", "--out", dir / "run", "--json", "-q"});
  EXPECT_FALSE(s["ticket"].is_null());
  EXPECT_LT(s["equivalence"]["max_abs_difference"], 0.05);
}

TEST(Cli, inspect_and_version_say_what_is_there) {
  const TempDir dir;
  ASSERT_EQ(run_engine({"train", tiny_config(dir), "--out", dir / "run", "-q", "--max-steps", "2"}).exit_code,
            75);
  const json info = facts({"inspect", dir / "run", "--json"});
  EXPECT_EQ(info["step"], 2);
  EXPECT_EQ(info["phase"], "search");
  EXPECT_FALSE(info["layers"].empty());
  const json file =
      facts({"inspect", info["checkpoint"].get<std::string>() + "/model.safetensors", "--json"});
  EXPECT_TRUE(file["metadata"].contains("graph"));
  EXPECT_TRUE(facts({"version", "--json"}).contains("onednn"));
}

TEST(Cli, one_run_directory_has_one_owner) {
  const TempDir dir;
  const std::string config =
      tiny_config(dir, R"({"train": {"duration": "5000ep"}, "early_bird": {"enabled": false},
                                                  "checkpoint": {"every": "1000ep"}})");
  const pid_t first = fork();
  if (first == 0) {
    run_engine({"train", config, "--out", dir / "run", "-q"}, {.signal = SIGTERM, .signal_after_ms = 2500});
    _exit(0);
  }
  for (int i = 0; i < 100 && !fs::exists(dir / "run/metrics.jsonl"); ++i) usleep(20'000);
  const Outcome second = run_engine({"train", config, "--out", dir / "run", "-q"});
  int status = 0;
  waitpid(first, &status, 0);
  EXPECT_EQ(second.exit_code, 2);
  EXPECT_NE(second.err.find("EB2021"), std::string::npos) << second.err;
}

TEST(Cli, a_wrong_flag_or_command_gets_a_suggestion) {
  const TempDir dir;
  EXPECT_NE(run_engine({"train", tiny_config(dir), "--determinstic"}).err.find("--deterministic"),
            std::string::npos);
  EXPECT_NE(run_engine({"inspekt", "x"}).err.find("\"inspect\""), std::string::npos);
  EXPECT_EQ(run_engine({"--help"}).exit_code, 0);
}

TEST(Cli, a_group_without_a_command_prints_its_help) {
  const Outcome bare = run_engine({});
  EXPECT_EQ(bare.exit_code, 2);
  for (const char* word : {"Usage", "train", "inspect"})
    EXPECT_NE(bare.err.find(word), std::string::npos) << word;
  EXPECT_EQ(bare.err.find("EB2020"), std::string::npos);
  const Outcome data = run_engine({"data"});
  EXPECT_EQ(data.exit_code, 2);
  EXPECT_NE(data.err.find("verify"), std::string::npos) << data.err;
  expect_refused({"data", "--json"}, 2, "EB2020");
}

TEST(Cli, version_is_a_flag_too) {
  const Outcome o = run_engine({"--version"});
  EXPECT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(o.out, "eb_engine " + facts({"version", "--json"})["eb_engine"].get<std::string>() + "\n");
}

TEST(Cli, a_negative_seed_is_refused) {
  const TempDir dir;
  expect_refused({"train", tiny_config(dir), "--seed", "-1"}, 2, "EB2020");
  expect_refused({"train", tiny_config(dir), "--seed", "-1"}, 2, "--seed");
  expect_refused({"train", tiny_config(dir), "--set", "seed=-1"}, 2, "EB2005");
}

TEST(Cli, a_damaged_checkpoint_falls_back_and_says_so) {
  const TempDir dir;
  const std::string config =
      tiny_config(dir, R"({"early_bird": {"enabled": false}, "train": {"duration": "3ep"}})");
  ASSERT_EQ(run_engine({"train", config, "--out", dir / "run", "-q"}).exit_code, 0);
  const fs::path newest = fs::path(dir / "run/ckpt") / "step-00000009";
  ASSERT_TRUE(fs::exists(newest));
  std::string bytes = slurp(newest / "model.safetensors");
  bytes[bytes.size() - 1] ^= 1;
  spit(newest / "model.safetensors", bytes);
  const Outcome o = run_engine({"train", config, "--out", dir / "run"});
  EXPECT_EQ(o.exit_code, 0);
  EXPECT_NE(o.err.find("step-00000009"), std::string::npos) << o.err;
}

// What was printed is a result too.
TEST(Cli, a_full_disk_behind_stdout_is_an_error) {
  RunOptions full;
  full.out = "/dev/full";
  const Outcome o = run_engine({"version", "--json"}, full);
  EXPECT_EQ(o.exit_code, 8) << o.err;
  EXPECT_NE(o.err.find("EB8002"), std::string::npos) << o.err;
  // More than a buffer: it fails long before the end.
  EXPECT_EQ(run_engine({"config", "explain"}, full).exit_code, 8);
}

TEST(Cli, a_limit_on_the_size_of_files_is_an_error_with_a_message) {
  const TempDir dir;
  const std::string config = tiny_config(dir), run = dir / "run";
  ASSERT_EQ(run_engine({"train", config, "--out", run, "-q", "--max-steps", "1"}).exit_code, 75);
  RunOptions limited;
  limited.file_size_limit = 1000;
  const Outcome o = run_engine({"report", run, "-o", dir / "page.html"}, limited);
  EXPECT_EQ(o.exit_code, 8) << o.err;
  EXPECT_NE(o.err.find("EB8002"), std::string::npos) << o.err;
  EXPECT_NE(o.err.find("ulimit -f"), std::string::npos) << o.err;
  EXPECT_FALSE(fs::exists(dir / "page.html"));
}
