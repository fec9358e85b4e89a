// What a run says of itself reads back as it was written, and nothing that a file may hold is an error.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/run/record.h"

using namespace eb::engine;
using nlohmann::json;

static EpochRecord epoch() {
  EpochRecord e{3, 9, Phase::search};
  e.train_loss = 2.5;
  e.test_top1 = 0.25;
  e.masks["p30"] = {std::nullopt, 121, 0.5};
  e.averaged.models = 2;
  e.rounding = {{{"conv.value", 0.125}}, {{"conv.value", 0.0}}, 0.125, 0.0};
  return e;
}

static RunSummary summary() {
  RunSummary s;
  s.seed = UINT64_MAX;
  s.name = "run";
  s.steps = 9;
  s.phases.push_back({Phase::search, 10, 20});
  s.phases[0].format = {"8-bit", 5, 7, {4, 4, 4, 8}};
  s.phases[0].seconds = {{"wall", 1.5}};
  s.best = BestRecord{0.5, 0.75, 0.25, 2, Phase::search, "test"};
  s.bad_samples = {"a.png"};
  s.dense.emplace().params = 10;
  s.ticket.emplace().ratio = 0.5;
  s.search.emplace().epochs = {{"p30", 7}, {"p50", std::nullopt}};
  s.search->draw = DrawRecord{0.5, 3, 9, "detector", "tickets/p50-ep3.safetensors"};
  s.search->draw->steps = PairedSteps{5, 1.5, 1.25, 1.75, 0.3, 0.2};
  s.max_abs_difference = 1e-9;
  s.speedup = SpeedupRecord{3.5, 1.5, 1.25, 1.75, 5};
  s.averaged = AveragedRecord{2, 7, 0.5};
  return s;
}

TEST(Record, an_epoch_reads_back) {
  const json line = to_json(epoch());
  EXPECT_EQ(line["split"], "epoch");
  EXPECT_EQ(line["phase"], "search");
  EXPECT_TRUE(line.contains("eb/distance_p30") && line["eb/distance_p30"].is_null()) << "no mask before it";
  EXPECT_FALSE(line.contains("holdout/top1")) << "not measured";
  EXPECT_EQ(epoch_from_json(json::parse(line.dump())), epoch());
  EXPECT_FALSE(batch_from_json(line)) << "another kind of line";
}

TEST(Record, a_batch_reads_back_and_a_loss_that_is_not_finite_is_null) {
  const json line = json::parse(to_json(BatchRecord{0, 5, Phase::dense, std::nan(""), 0.1}).dump());
  EXPECT_TRUE(line["train/batch_loss"].is_null());
  const auto batch = batch_from_json(line);
  ASSERT_TRUE(batch);
  EXPECT_FALSE(batch->loss);
  EXPECT_EQ(batch->lr, 0.1);
  EXPECT_FALSE(epoch_from_json(line));
}

TEST(Record, numbers_have_the_keys_of_the_file_and_what_was_not_measured_has_none) {
  const NamedNumbers numbers = numbers_of(epoch());
  const std::map<std::string, double> of(numbers.begin(), numbers.end());
  EXPECT_EQ(of, (std::map<std::string, double>{{"train/loss", 2.5},
                                               {"test/top1", 0.25},
                                               {"eb/kept_p30", 121},
                                               {"eb/threshold_p30", 0.5},
                                               {"swa/models", 2},
                                               {"q8/saturated_rate", 0.125},
                                               {"q8/flushed_rate", 0}}));
  EXPECT_EQ(numbers_of(BatchRecord{0, 1, Phase::dense, std::nullopt, 0.1}),
            (NamedNumbers{{"train/lr", 0.1}}));
}

TEST(Record, a_summary_and_a_status_read_back) {
  const json written = to_json(summary());
  EXPECT_EQ(to_json(summary_from_json(json::parse(written.dump()))), written);
  EXPECT_EQ(written["eb"]["epochs"], json({{"p30", 7}, {"p50", nullptr}}));
  EXPECT_EQ(written["seed"], UINT64_MAX);
  const json status =
      to_json(RunStatus{"search", 9, "2026-01-01T00:00:00Z", 7, "host", summary(), 75, "why"});
  EXPECT_EQ(to_json(status_from_json(json::parse(status.dump()))), status);
  EXPECT_EQ(status["error"], "why");
}

TEST(Record, only_a_run_that_searched_says_that_it_has_no_ticket) {
  RunSummary s = summary();
  s.ticket.reset();
  EXPECT_TRUE(to_json(s).contains("ticket") && to_json(s)["ticket"].is_null());
  s.search.reset();
  EXPECT_FALSE(to_json(s).contains("ticket"));
}

TEST(Record, the_state_of_a_checkpoint_says_how_far_its_run_came) {
  const json state = {
      {"step", 9}, {"epoch", 3}, {"batch", 0}, {"phases", {{{"name", "search"}, {"joules", 5}}}}};
  const ProgressRecord p = progress_from_json(state);
  EXPECT_EQ(p.step, 9);
  EXPECT_FALSE(p.steps_per_epoch);
  ASSERT_EQ(p.phases.size(), 1u);
  EXPECT_EQ(p.phases[0].name, Phase::search);
  EXPECT_EQ(p.phases[0].energy_method, "rapl") << "older versions knew no other";
}

TEST(Record, whatever_a_file_holds_is_no_error) {
  const json odd[] = {
      json(),
      json(7),
      json::array({1}),
      json("text"),
      {{"phases", 5}},
      {{"phases", {1, {{"name", 5}, {"seconds", 3}}}}},
      {{"seed", -1.5}, {"eb", {{"epochs", 1}, {"draw", "yes"}}}, {"steps", "many"}, {"dense", 1}}};
  for (const json& j : odd) {
    const RunSummary s = summary_from_json(j);
    EXPECT_FALSE(s.steps || s.dense || s.seed) << j;
    EXPECT_LE(s.phases.size(), 1u);
    EXPECT_FALSE(status_from_json(j).exit_code);
    EXPECT_FALSE(progress_from_json(j).step);
    EXPECT_FALSE(epoch_from_json(j) || batch_from_json(j));
  }
}

TEST(Record, whole_numbers_are_counts_however_they_are_written) {
  EXPECT_EQ(phase_from_json({{"params", 4.1e9}}).params, 4'100'000'000);
  EXPECT_FALSE(phase_from_json({{"params", 2.5}}).params);
  EXPECT_FALSE(phase_from_json({{"params", UINT64_MAX}}).params);
}
