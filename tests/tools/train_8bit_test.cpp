// 8-bit training by the real binary: search, draw, compaction and retraining in 8 bit or in parts of it, the
// same bits after a stop and for any number of threads, and what a resumed run may not change.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "support/run_engine.h"

using namespace eb::test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> swalp8 = {"--set", "precision.preset=swalp8"};

std::vector<std::string> train(const std::string& config, const std::string& out,
                               const std::vector<std::string>& more = swalp8) {
  std::vector<std::string> words = {"train", config, "--out", out, "--json", "-q"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

json summary_of(const Outcome& o) {
  EXPECT_EQ(o.exit_code, 0) << o.err;
  return o.exit_code == 0 ? json::parse(o.out) : json();
}

std::vector<json> epochs(const fs::path& run) {
  std::vector<json> rows;
  std::istringstream lines(slurp(run / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);)
    if (json row = json::parse(line); row["split"] == "epoch") {
      for (const char* clock :
           {"perf/images_per_s", "perf/seconds", "perf/data_wait_seconds", "mem/peak_gib", "energy/joules"})
        row.erase(clock);
      rows.push_back(row);
    }
  return rows;
}

std::string weights(const fs::path& run) {
  return slurp(run / "ckpt/step-00000024/model.safetensors");
}

}  // namespace

TEST(Train8Bit, searches_draws_and_retrains_in_8_bit) {
  const TempDir dir;
  const json s = summary_of(run_engine(train(tiny_config(dir), dir / "run")));
  ASSERT_FALSE(s["ticket"].is_null());
  EXPECT_LT(s["ticket"]["params"], s["dense"]["params"]);
  ASSERT_EQ(s["phases"].size(), 2u);
  for (const json& p : s["phases"]) {
    EXPECT_EQ(p["precision"], "8-bit");
    // Three convolutions of four: all but the classifier and the elementwise work.
    EXPECT_GT(p["int8_ops_per_training_image"].get<double>(), p["flops_per_training_image"].get<double>());
    for (const char* what : {"weights", "gradients", "momentum", "activations"})
      EXPECT_GT(p["bytes"][what].get<int64_t>(), 0) << what;
  }
  for (const json& row : epochs(dir / "run")) {
    const json &saturated = row["q8/saturated"], &flushed = row["q8/flushed"];
    for (const char* name : {"feature.0.output", "feature.0.error", "feature.0.weight",
                             "feature.0.weight.gradient", "feature.1.bias.momentum"}) {
      ASSERT_TRUE(saturated.contains(name)) << name;
      EXPECT_GE(saturated[name], 0) << name;
      EXPECT_LE(saturated[name], 1) << name;
      EXPECT_LE(flushed[name], 1) << name;
    }
    EXPECT_GT(flushed["feature.0.error"], 0) << "some of a layer's errors are far below its largest";
    EXPECT_LT(row["q8/saturated_rate"], 0.2);
  }
}

TEST(Train8Bit, activations_take_less_than_half_of_f32) {
  const TempDir dir;
  const std::vector<std::string> brief = {"--max-steps", "1"};
  const auto bytes = [&](const std::string& out, const std::vector<std::string>& sets) {
    run_engine(train(tiny_config(dir), out, sets + brief));
    const json state = json::parse(slurp(fs::path(out) / "ckpt/step-00000001/state.json"));
    return state["hooks"]["blocks"]["phases"][0]["bytes"]["activations"].get<double>();
  };
  const double f32 = bytes(dir / "f32", {}), q8 = bytes(dir / "q8", swalp8);
  EXPECT_LT(q8, 0.4 * f32) << "a byte instead of four, but for what pooling and the classifier keep";
}

TEST(Train8Bit, each_variant_changes_its_precision_at_the_draw) {
  const TempDir dir;
  const auto phases = [&](const std::string& name, const std::string& value) {
    const json s = summary_of(
        run_engine(train(tiny_config(dir), dir / name, swalp8 + std::vector<std::string>{"--set", value})));
    return std::pair(s["phases"][0]["precision"], s["phases"][1]["precision"]);
  };
  EXPECT_EQ(phases("lf", "precision.phases=[\"search\"]"), std::pair(json("8-bit"), json("f32")));
  EXPECT_EQ(phases("fl", "precision.phases=[\"retrain\"]"), std::pair(json("f32"), json("8-bit")));
}

TEST(Train8Bit, the_reference_preset_runs_to_its_end) {
  const TempDir dir;
  const json s =
      summary_of(run_engine(train(tiny_config(dir), dir / "run", {"--set", "precision.preset=reference"})));
  EXPECT_EQ(s["phases"][0]["int8_ops_per_training_image"], 0);
  EXPECT_FALSE(s["ticket"].is_null());
}

TEST(Train8Bit, a_stopped_reference_run_has_the_same_bits) {
  const TempDir dir;
  const std::string config = tiny_config(dir);
  const std::vector<std::string> reference = {"--set", "precision.preset=reference"};
  summary_of(run_engine(train(config, dir / "whole", reference)));
  run_engine(train(config, dir / "stopped", reference + std::vector<std::string>{"--max-steps", "14"}));
  summary_of(run_engine(train(config, dir / "stopped", reference)));
  EXPECT_EQ(weights(dir / "stopped"), weights(dir / "whole"));
  EXPECT_EQ(epochs(dir / "stopped"), epochs(dir / "whole"));
}

TEST(Train8Bit, stopped_anywhere_and_with_other_threads_the_bits_are_the_same) {
  const TempDir dir;
  const std::string config = tiny_config(dir);
  summary_of(run_engine(train(config, dir / "whole", swalp8 + std::vector<std::string>{"--threads", "1"})));
  for (const char* stop : {"2", "13", "20"}) {
    SCOPED_TRACE(stop);
    const std::string out = dir / (std::string("stopped-") + stop);
    const auto more = swalp8 + std::vector<std::string>{"--threads", "3"};
    EXPECT_EQ(run_engine(train(config, out, more + std::vector<std::string>{"--max-steps", stop})).exit_code,
              75);
    summary_of(run_engine(train(config, out, more)));
    EXPECT_EQ(weights(out), weights(dir / "whole"));
    EXPECT_EQ(epochs(out), epochs(dir / "whole"));
  }
}

TEST(Train8Bit, another_precision_is_refused_on_resume_unless_asked_for_by_name) {
  const TempDir dir;
  const std::string config = tiny_config(dir);
  const std::vector<std::string> stop = {"--max-steps", "4"};
  run_engine(train(config, dir / "q8", swalp8 + stop));
  run_engine(train(config, dir / "f32", stop));
  for (const bool from_8_bit : {true, false}) {
    const std::string out = dir / (from_8_bit ? "q8" : "f32");
    const auto more = from_8_bit ? std::vector<std::string>{} : swalp8;
    const Outcome refused = run_engine(train(config, out, more));
    EXPECT_EQ(refused.exit_code, 4);
    EXPECT_NE(refused.err.find("precision.phases"), std::string::npos) << refused.err;
  }
  const std::vector<std::string> allow = {"--allow-change", "precision"};
  const json s = summary_of(run_engine(train(config, dir / "f32", swalp8 + allow)));
  EXPECT_FALSE(s["ticket"].is_null());
}

TEST(Train8Bit, divergence_stops_before_the_update) {
  const TempDir dir;
  const std::string config = tiny_config(dir, R"({"train": {"optimizer": {"lr": 999, "weight_decay": 1}}})");
  for (const char* preset : {"swalp8", "reference"}) {
    const Outcome o =
        run_engine(train(config, dir / preset, {"--set", std::string("precision.preset=") + preset}));
    EXPECT_EQ(o.exit_code, 7) << preset;
    EXPECT_NE(o.err.find("EB7001"), std::string::npos) << o.err;
  }
}

TEST(Train8Bit, the_summary_for_people_says_what_was_in_8_bit) {
  const TempDir dir;
  const std::string config = tiny_config(dir);
  const auto table = [&](const std::string& out, const std::vector<std::string>& more) {
    const Outcome o =
        run_engine(std::vector<std::string>{"train", config, "--out", out, "-q"} + swalp8 + more);
    EXPECT_EQ(o.exit_code, 0) << o.err;
    return o.out;
  };
  EXPECT_NE(table(dir / "whole", {}).find("int8 share of operations"), std::string::npos);
  const std::string begun = table(dir / "begun", {"--until", "compact"});  // no step of the retraining yet
  EXPECT_NE(begun.find("no step taken"), std::string::npos) << begun;
}

TEST(Train8Bit, rates_of_the_epoch_of_a_draw_between_epochs_are_rates) {
  const TempDir dir;
  const std::vector<std::string> by_steps = {
      "--set", "early_bird.every=2st", "--set", "early_bird.window=2", "--set", "early_bird.threshold=0.9"};
  summary_of(run_engine(train(tiny_config(dir), dir / "run", swalp8 + by_steps)));
  for (const json& row : epochs(dir / "run")) {
    if (!row.contains("q8/flushed_rate")) continue;
    EXPECT_GT(row["q8/flushed_rate"], 0.01) << row["epoch"];
    EXPECT_LT(row["q8/flushed_rate"], 0.9) << row["epoch"];
  }
}

TEST(Train8Bit, eval_gives_the_accuracy_of_a_reference_run) {
  const TempDir dir;
  const json s =
      summary_of(run_engine(train(tiny_config(dir), dir / "run", {"--set", "precision.preset=reference"})));
  const Outcome o = run_engine({"eval", dir / "run", "--json"});
  EXPECT_EQ(json::parse(o.out)["loss"], s["ticket"]["test_loss"]);
}

TEST(Train8Bit, eval_gives_the_runs_own_accuracy) {
  const TempDir dir;
  const json s = summary_of(run_engine(train(tiny_config(dir), dir / "run")));
  const Outcome o = run_engine({"eval", dir / "run", "--json"}),
                full = run_engine({"eval", dir / "run", "--json", "--full-precision"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(json::parse(o.out)["top1"], s["ticket"]["test_top1"]);
  EXPECT_EQ(json::parse(o.out)["loss"], s["ticket"]["test_loss"]);
  EXPECT_NE(json::parse(full.out)["loss"], s["ticket"]["test_loss"]) << "other numbers, other loss";
}
