// A finished run that is to be longer: what was derived from its duration comes with it, what the user chose
// does not.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/run_engine.h"

using namespace eb::test;
using nlohmann::json;

namespace {

const char* short_run = R"({"early_bird": {"deadline": null}, "swa": {"enabled": true}})";

std::vector<std::string> longer(const std::string& config, const std::string& run,
                                const std::vector<std::string>& sets) {
  std::vector<std::string> words = {"train", config, "--out", run, "--json", "--threads", "1"};
  for (const std::string& set : sets) words.insert(words.end(), {"--set", set});
  return words;
}

}  // namespace

TEST(Longer, a_finished_run_goes_on_with_what_follows_from_its_duration) {
  const TempDir dir;
  const std::string config = tiny_config(dir, short_run), run = dir / "run";
  ASSERT_EQ(run_engine(longer(config, run, {})).exit_code, 0);
  const Outcome o = run_engine(longer(config, run, {"train.duration=12ep"}));
  ASSERT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(json::parse(o.out)["epochs"], 12);
  for (const char* change : {"train.duration: \"8ep\" -> \"12ep\"", "early_bird.deadline: \"4ep\" -> \"6ep\"",
                             "swa.start: \"6ep\" -> \"9ep\""})
    EXPECT_NE(o.err.find(change), std::string::npos) << o.err;
  EXPECT_EQ(json::parse(o.out)["swa"]["start_epoch"], 10);
}

TEST(Longer, a_value_that_the_user_chose_is_refused_by_name) {
  const TempDir dir;
  const std::string config = tiny_config(dir, short_run), run = dir / "run";
  ASSERT_EQ(run_engine(longer(config, run, {})).exit_code, 0);
  const Outcome chosen = run_engine(longer(config, run, {"train.duration=12ep", "early_bird.deadline=7ep"}));
  EXPECT_EQ(chosen.exit_code, 4);
  EXPECT_NE(chosen.err.find("early_bird.deadline: \"4ep\" -> \"7ep\""), std::string::npos) << chosen.err;
  EXPECT_EQ(chosen.err.find("swa.start: \"6ep\" -> \"9ep\"\n    "), std::string::npos) << chosen.err;
  const Outcome rate = run_engine(longer(config, run, {"train.duration=12ep", "train.optimizer.lr=0.5"}));
  EXPECT_EQ(rate.exit_code, 4);
  EXPECT_NE(rate.err.find("train.optimizer.lr"), std::string::npos) << rate.err;
  // One that was chosen then and is left to the duration now.
  const std::string other = dir / "other";
  ASSERT_EQ(run_engine(longer(config, other, {"early_bird.deadline=5ep"})).exit_code, 0);
  const Outcome left = run_engine(longer(config, other, {"train.duration=12ep"}));
  EXPECT_EQ(left.exit_code, 4);
  EXPECT_NE(left.err.find("early_bird.deadline: \"5ep\" -> \"6ep\""), std::string::npos) << left.err;
}
