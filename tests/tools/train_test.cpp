// The real binary end to end on a tiny network: the whole pipeline, stopping and resuming, and what goes
// wrong.
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "support/data_sets.h"
#include "support/run_engine.h"

using namespace eb::test;
using nlohmann::json;
namespace fs = std::filesystem;

static std::vector<json> metrics(const fs::path& run) {
  std::vector<json> rows;
  std::istringstream lines(slurp(run / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) rows.push_back(json::parse(line));
  return rows;
}

// The rows without what depends on the clock, or on what the process did before.
static std::vector<json> timeless(const fs::path& run) {
  auto rows = metrics(run);
  for (json& row : rows)
    for (const char* prefix : {"perf/", "energy/", "mem/"})
      for (auto it = row.begin(); it != row.end();)
        it = it.key().rfind(prefix, 0) == 0 ? row.erase(it) : std::next(it);
  return rows;
}

static std::string weights(const fs::path& run) {
  fs::path newest;
  for (const auto& entry : fs::directory_iterator(run / "ckpt"))
    if (entry.path().filename().string().rfind("step-", 0) == 0 && entry.path() > newest)
      newest = entry.path();
  return slurp(newest / "model.safetensors");
}

TEST(Train, finds_draws_compacts_and_retrains) {
  const TempDir dir;
  const Outcome o = run_engine({"train", tiny_config(dir), "--out", dir / "run", "--json", "-q"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  const json s = json::parse(o.out);
  EXPECT_EQ(s, json::parse(slurp(dir / "run/summary.json")));
  ASSERT_FALSE(s["ticket"].is_null());
  EXPECT_LT(s["ticket"]["params"], s["dense"]["params"]);
  EXPECT_LT(s["ticket"]["flops_per_image"], s["dense"]["flops_per_image"]);
  EXPECT_LT(s["equivalence"]["max_abs_difference"], 1e-3);
  // Search and retrain together are the whole duration, and the training FLOPs follow docs/method.md 6.2.
  double flops = 0;
  int64_t steps = 0;
  for (const json& p : s["phases"]) {
    flops += 3.0 * p["samples"].get<double>() * p["flops_per_image"].get<double>();
    steps += p["steps"].get<int64_t>();
  }
  EXPECT_EQ(s["phases"].size(), 2u);
  EXPECT_EQ(steps, 8 * 3);
  EXPECT_DOUBLE_EQ(s["total_training_flops"], flops);
  int epochs = 0;
  for (const json& row : metrics(dir / "run")) {
    if (row["split"] != "epoch") continue;
    ++epochs;
    for (const char* key :
         {"step", "epoch", "phase", "train/loss", "train/top1", "test/top1", "perf/images_per_s"})
      EXPECT_TRUE(row.contains(key)) << key;
    if (row["phase"] != "search") continue;
    EXPECT_TRUE(row.contains("eb/distance_p50") && row.contains("eb/kept_p30"));
  }
  EXPECT_EQ(epochs, 8);
}

TEST(Train, a_run_stopped_anywhere_resumes_to_the_same_bits) {
  const TempDir dir;
  const std::string config = tiny_config(dir);
  ASSERT_EQ(run_engine({"train", config, "--out", dir / "straight", "--deterministic", "-q"}).exit_code, 0);
  const std::string want = weights(dir / "straight");
  const auto want_metrics = timeless(dir / "straight");
  for (const char* steps : {"1", "9", "12", "14", "16", "23"}) {  // mid-epoch, at epoch ends, around the draw
    const std::string run = dir / (std::string("stopped") + steps);
    const Outcome stopped =
        run_engine({"train", config, "--out", run, "--deterministic", "-q", "--max-steps", steps});
    ASSERT_EQ(stopped.exit_code, 75) << stopped.err;
    const Outcome o =
        run_engine({"train", config, "--out", run, "--deterministic", "-q", "--resume", "must"});
    ASSERT_EQ(o.exit_code, 0) << o.err;
    EXPECT_EQ(weights(run), want) << "stopped after step " << steps;
    EXPECT_EQ(timeless(run), want_metrics) << "stopped after step " << steps;
  }
}

TEST(Train, same_bits_for_any_number_of_threads_and_workers) {
  const TempDir dir;
  const std::string config =
      tiny_config(dir, R"({"train": {"duration": "2ep"}, "early_bird": {"deadline": null}})");
  std::string want;
  for (const char* threads : {"1", "2", "3"})
    for (const char* workers : {"0", "1", "4"}) {
      const std::string run = dir / (std::string("run") + threads + workers);
      const Outcome o = run_engine({"train", config, "--out", run, "--deterministic", "-q", "--threads",
                                    threads, "--set", std::string("data.workers=") + workers});
      ASSERT_EQ(o.exit_code, 0) << o.err;
      // The config in the metadata names the workers; the tensors behind it must not know.
      const std::string bytes = weights(run);
      const uint64_t header = *reinterpret_cast<const uint64_t*>(bytes.data());
      const std::string tensors = bytes.substr(8 + header);
      if (want.empty()) want = tensors;
      EXPECT_EQ(tensors, want) << threads << " threads, " << workers << " workers";
    }
}

TEST(Train, sigterm_saves_and_exits_75) {
  const TempDir dir;
  const std::string config =
      tiny_config(dir, R"({"train": {"duration": "5000ep"}, "early_bird": {"enabled": false},
                                                  "checkpoint": {"every": "1000ep"}})");
  RunOptions options;
  options.signal = SIGTERM;
  options.signal_after_ms = 1500;
  const Outcome o = run_engine({"train", config, "--out", dir / "run", "-q"}, options);
  EXPECT_EQ(o.exit_code, 75) << o.err;
  EXPECT_EQ(json::parse(slurp(dir / "run/status.json"))["exit_code"], 75);
}

TEST(Train, nan_stops_before_the_update_and_names_the_last_good_checkpoint) {
  const TempDir dir;
  const std::string config = tiny_config(dir, R"({"train": {"optimizer": {"lr": 999, "weight_decay": 1}}})");
  const Outcome o = run_engine({"train", config, "--out", dir / "run", "-q"});
  EXPECT_EQ(o.exit_code, 7);
  EXPECT_NE(o.err.find("EB7001"), std::string::npos) << o.err;
  EXPECT_NE(o.err.find("step-"), std::string::npos) << o.err;
  EXPECT_TRUE(fs::exists(dir / "run/crash/divergence.json"));
}

TEST(Train, until_stops_after_the_named_phase) {
  const TempDir dir;
  for (const char* phase : {"search", "draw", "compact"}) {
    const std::string run = dir / phase;
    const Outcome o = run_engine({"train", tiny_config(dir), "--out", run, "-q", "--json", "--until", phase});
    ASSERT_EQ(o.exit_code, 0) << o.err;
    const json s = json::parse(o.out), file = s["eb"]["draw"].value("file", json());
    EXPECT_EQ(file.is_string(), std::string(phase) != "search");
    if (file.is_string()) EXPECT_TRUE(fs::exists(run + "/" + file.get<std::string>()));
    EXPECT_EQ(s["phases"].size(), std::string(phase) == "compact" ? 2u : 1u);
  }
}

TEST(Train, retraining_variants_run_to_their_end) {
  const TempDir dir;
  for (const char* variant : {"reinit", "rewind"}) {
    const std::string config = tiny_config(
        dir,
        std::string(
            R"({"early_bird": {"after": {"schedule": "restart", "optimizer_state": "reset", "weights": ")") +
            variant + R"("}}})");
    const Outcome o = run_engine({"train", config, "--out", dir / variant, "-q", "--json"});
    ASSERT_EQ(o.exit_code, 0) << o.err;
    EXPECT_EQ(json::parse(o.out)["phases"][1]["steps"], 8 * 3) << "a full schedule on top of the search";
  }
}

TEST(Train, evaluates_draws_and_compacts_from_the_command_line) {
  const TempDir dir;
  ASSERT_EQ(
      run_engine({"train",
                  tiny_config(dir, R"({"early_bird": {"enabled": false}, "train": {"duration": "2ep"}})"),
                  "--out", dir / "run", "-q"})
          .exit_code,
      0);
  const Outcome e = run_engine({"eval", dir / "run", "--json", "--logits", dir / "logits.safetensors"});
  ASSERT_EQ(e.exit_code, 0) << e.err;
  const json result = json::parse(e.out);
  EXPECT_EQ(result["total"], 64);
  EXPECT_DOUBLE_EQ(result["top1"], result["correct"].get<double>() / 64);
  const Outcome d = run_engine(
      {"draw", dir / "run", "--ratio", "0.5", "--rule", "exact_k", "--json", "-o", dir / "t.safetensors"});
  ASSERT_EQ(d.exit_code, 0) << d.err;
  const json ticket = json::parse(d.out);
  EXPECT_EQ(ticket["kept"].get<int64_t>(),
            ticket["total"].get<int64_t>() - ticket["total"].get<int64_t>() / 2);
  const Outcome c =
      run_engine({"compact", dir / "run", "--ticket", dir / "t.safetensors", "-o", dir / "small", "--json"});
  ASSERT_EQ(c.exit_code, 0) << c.err;
  EXPECT_EQ(run_engine({"eval", dir / "small", "--json"}).exit_code, 0);
}

TEST(Train, faults_have_their_exit_codes) {
  const TempDir dir;
  const std::string config = tiny_config(dir);
  const auto code = [&](std::vector<std::string> args) { return run_engine(args).exit_code; };
  EXPECT_EQ(code({"train", config, "--set", "early_bird.treshold=0.1"}), 2);
  EXPECT_EQ(code({"train", dir / "absent.json"}), 2);
  EXPECT_EQ(code({"trian", config}), 2);
  EXPECT_EQ(
      code({"train", config, "--set", "data.kind=cifar10_bin", "--set", "data.root=" + (dir / "nowhere")}),
      3);
  EXPECT_EQ(code({"train", config, "--out", dir / "new", "--resume", "must"}), 4);
  EXPECT_EQ(json::parse(slurp(dir / "new/status.json"))["exit_code"], 4) << "before the first step";
  EXPECT_EQ(code({"eval", dir / "nowhere"}), 4);
  EXPECT_EQ(code({"train", config, "--device", "cuda"}), 5);
  EXPECT_NE(run_engine({"trian", config}).err.find("did you mean \"train\""), std::string::npos);
}

TEST(Train, a_changed_learning_rate_is_refused_on_resume) {
  const TempDir dir;
  const std::string config = tiny_config(dir);
  ASSERT_EQ(run_engine({"train", config, "--out", dir / "run", "-q", "--max-steps", "4"}).exit_code, 75);
  const Outcome o =
      run_engine({"train", config, "--out", dir / "run", "-q", "--set", "train.optimizer.lr=0.5"});
  EXPECT_EQ(o.exit_code, 4);
  EXPECT_NE(o.err.find("train.optimizer.lr"), std::string::npos) << o.err;
  EXPECT_EQ(json::parse(slurp(dir / "run/status.json"))["exit_code"], 75) << "what became of the run";
  EXPECT_EQ(run_engine({"train", config, "--out", dir / "run", "-q", "--set", "train.optimizer.lr=0.01",
                        "--allow-change", "train.optimizer.lr"})
                .exit_code,
            0);
}

TEST(Train, a_full_disk_during_a_checkpoint_warns_once_and_then_exits_8) {
  const TempDir dir;
  const std::string config = tiny_config(dir);
  RunOptions once;
  once.env = {"EB_FAULT=enospc@write:40"};
  const Outcome o = run_engine({"train", config, "--out", dir / "once", "--deterministic", "--set",
                                "log.tensorboard=false"},  // its thread would write at any time
                               once);
  EXPECT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(run_engine({"eval", dir / "once"}).exit_code, 0);
}

TEST(Train, bad_samples_are_in_the_report_of_a_resumed_run_too) {
  const TempDir dir;
  const fs::path data = dir.path() / "data";
  write_image_folder(data, 8);
  const std::string good = slurp(data / "train/a/100.jpg");
  for (const char* bad : {"train/a/100.jpg", "train/c/104.jpg"})
    write_bytes(data / bad, std::vector<uint8_t>(fs::file_size(data / bad), 'x'));
  const std::vector<std::string> command = {
      "train", tiny_config(dir),         "--out", dir / "run",
      "--set", "data.kind=image_folder", "--set", "data.root=" + data.string(),
      "--set", "model.num_classes=3",    "--set", "train.batch_size=8",
      "--set", "data.on_bad_sample=skip"};
  auto stopped = command;
  stopped.insert(stopped.end(), {"--max-steps", "4"});
  ASSERT_EQ(run_engine(stopped).exit_code, 75);
  // Mended meanwhile: the steps before still saw others in their place.
  write_bytes(data / "train/a/100.jpg", {good.begin(), good.end()});
  const Outcome o = run_engine(command);
  ASSERT_EQ(o.exit_code, 0) << o.err;
  const json report = json::parse(slurp(dir / "run/report/report.json"))["runs"][0];
  EXPECT_EQ(report["bad_samples"],
            json({(data / "train/a/100.jpg").string(), (data / "train/c/104.jpg").string()}));
  EXPECT_NE(report["warnings"].dump().find("2 bad samples were replaced"), std::string::npos)
      << report["warnings"];
  EXPECT_NE(slurp(dir / "run/report/report.html").find("train/c/104.jpg"), std::string::npos);
}
