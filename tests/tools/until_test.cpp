// A run that is told where to stop and goes on later, and what is said before a run begins.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/run_engine.h"

using namespace eb::test;
using nlohmann::json;
namespace fs = std::filesystem;

static std::string weights(const std::string& run) {
  const json info = json::parse(run_engine({"inspect", run, "--json"}).out);
  return slurp(info["checkpoint"].get<std::string>() + "/model.safetensors");
}

// Which takes every step behind the search: the draw, the compaction and the retraining.
TEST(Until, and_then_without_it_is_the_run_without_it) {
  const TempDir dir;
  const std::vector<std::string> every = {"early_bird.every=1ep", "early_bird.every=2st"};
  for (const std::string& set : every) {
    const auto command = [&](const std::string& run, const std::string& until) {
      std::vector<std::string> words = {"train",           tiny_config(dir), "--out", run, "-q",
                                        "--deterministic", "--json",         "--set", set};
      if (!until.empty()) words.insert(words.end(), {"--until", until});
      return words;
    };
    const std::string straight = dir / ("straight " + set);
    const Outcome whole = run_engine(command(straight, ""));
    ASSERT_EQ(whole.exit_code, 0) << whole.err;
    const json want = json::parse(whole.out);
    for (const std::string until : {"search", "draw", "compact"}) {
      const std::string run = dir / (until + " " + set);
      ASSERT_EQ(run_engine(command(run, until)).exit_code, 0);
      ASSERT_EQ(run_engine(command(run, until)).exit_code, 0) << "nothing is left to do";
      const Outcome o = run_engine(command(run, ""));
      ASSERT_EQ(o.exit_code, 0) << o.err;
      EXPECT_EQ(weights(run), weights(straight)) << until << " " << set;
      const json got = json::parse(o.out);
      EXPECT_EQ(got["phases"].size(), 2u);
      EXPECT_EQ(got["ticket"]["params"], want["ticket"]["params"]);
      EXPECT_EQ(got["equivalence"].is_null(), false);
    }
  }
}

// Masks may be due elsewhere. The steps before the draw are the search's, the last one too.
TEST(DrawAt, draws_at_the_step_that_it_was_told) {
  const TempDir dir;
  for (const char* set : {"early_bird.draw_at=5st", "early_bird.deadline=5st"}) {
    for (const char* every : {"early_bird.every=1ep", "early_bird.every=2st"}) {
      std::vector<std::string> words = {"train",
                                        tiny_config(dir),
                                        "--out",
                                        dir / (set + std::string(every)),
                                        "--json",
                                        "--set",
                                        "early_bird.deadline=null",
                                        "--set",
                                        "early_bird.threshold=0",
                                        "--set",
                                        set,
                                        "--set",
                                        every};
      const Outcome o = run_engine(words);
      ASSERT_EQ(o.exit_code, 0) << o.err;
      const json s = json::parse(o.out);
      EXPECT_EQ(s["eb"]["draw"]["step"], 5) << set << every;
      EXPECT_EQ(s["phases"][0]["steps"], 5);
      EXPECT_EQ(s["phases"][0]["samples"], 5 * 64);
      EXPECT_EQ(s["phases"][1]["start_step"], 5);
      EXPECT_EQ(s["phases"][1]["steps"], 8 * 3 - 5);
      EXPECT_NE(o.err.find("at step 5 (1.7 ep)"), std::string::npos) << o.err;
      EXPECT_EQ(s["dense"]["test_top1_note"],
                "dense: of epoch 1, the last before the draw at step 5 (1.7 ep)");
    }
  }
}

TEST(DrawAt, before_the_first_epochs_end_the_dense_accuracy_is_not_measured) {
  const TempDir dir;
  const Outcome o = run_engine({"train", tiny_config(dir), "--out", dir / "run", "-q", "--set",
                                "early_bird.deadline=null", "--set", "early_bird.draw_at=2st"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  EXPECT_NE(o.out.find("  top-1                         not measured"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("dense: no epoch had ended at the draw, step 2 (0.67 ep)"), std::string::npos)
      << o.out;
  EXPECT_EQ(o.out.find("epoch 0"), std::string::npos) << o.out;
  EXPECT_EQ(slurp(dir / "run/report/report.html").find("poch 0<"), std::string::npos);
}

// In epochs against steps: only the data tell.
TEST(DrawAt, behind_the_end_is_refused_in_any_unit) {
  const TempDir dir;
  const auto code = [&](const std::string& key, const std::string& at, const std::string& schedule) {
    const Outcome o =
        run_engine({"train", tiny_config(dir), "--out", dir / (key + at + schedule), "-q", "--set",
                    "train.duration=12st", "--set", "early_bird.deadline=null", "--set",
                    "early_bird." + key + "=" + at, "--set", "early_bird.after.schedule=" + schedule});
    EXPECT_EQ(o.exit_code == 0, o.err.find("EB2010") == std::string::npos) << o.err;
    return o.exit_code;
  };
  EXPECT_EQ(code("draw_at", "5ep", "continue"), 2);
  EXPECT_EQ(code("draw_at", "4ep", "continue"), 2) << "nothing is left to train";
  EXPECT_EQ(code("draw_at", "4ep", "restart"), 0);
  EXPECT_EQ(code("deadline", "5ep", "continue"), 2);
  EXPECT_EQ(code("deadline", "4ep", "continue"), 0);
}

TEST(Until, goes_on_to_a_later_phase) {
  const TempDir dir;
  const std::string run = dir / "run";
  const auto go = [&](const char* until) {
    const Outcome o = run_engine({"train", tiny_config(dir), "--out", run, "-q", "--json", "--until", until});
    EXPECT_EQ(o.exit_code, 0) << o.err;
    return json::parse(o.out, nullptr, false);
  };
  EXPECT_EQ(go("search")["phases"].size(), 1u);
  EXPECT_FALSE(fs::exists(run + "/dense"));
  EXPECT_EQ(go("draw")["phases"].size(), 1u);
  EXPECT_TRUE(fs::exists(run + "/dense"));
  EXPECT_EQ(go("compact")["phases"].size(), 2u);
  EXPECT_EQ(go("search")["phases"].size(), 2u) << "it is behind that";
  const json small = json::parse(run_engine({"inspect", run, "--json"}).out);
  EXPECT_EQ(small["phase"], "retrain");
}

TEST(BeforeTheFirstStep, a_drop_behind_the_end_is_a_warning) {
  const TempDir dir;
  const auto warning = [&](const char* at) {
    const Outcome o = run_engine({"train", tiny_config(dir), "--out", dir / at, "-q", "--max-steps", "0",
                                  "--set", std::string("train.schedule.at=[\"") + at + "\"]"});
    EXPECT_EQ(o.exit_code, 75) << o.err;
    return o.err.find("never drops at " + std::string(at)) != std::string::npos;
  };
  EXPECT_TRUE(warning("8ep"));
  EXPECT_TRUE(warning("100ep"));
  EXPECT_TRUE(warning("24st")) << "8 epochs of 3 steps";
  EXPECT_FALSE(warning("23st"));
  EXPECT_FALSE(warning("7ep"));
}

TEST(BeforeTheFirstStep, a_pattern_of_no_batch_norm_is_refused_before_the_first_step) {
  const TempDir dir;
  const Outcome o = run_engine({"train", tiny_config(dir), "--out", dir / "run", "-q", "--set",
                                "early_bird.protect=[\"faeture.1*\"]"});
  EXPECT_EQ(o.exit_code, 2) << o.err;
  EXPECT_NE(o.err.find("did you mean \"feature.1\"?"), std::string::npos) << o.err;
}
