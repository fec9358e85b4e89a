// What `train` prints at its end: numbers of small and of large runs in units that fit them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tools/watch/summary_table.h"

using nlohmann::json;

static std::string summary_table(const json& summary) {
  return eb::tools::summary_table(eb::engine::summary_from_json(summary));
}

static bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

static json network(double per_image, double training) {
  return {{"test_top1", 0.5},           {"test_loss", 1.5}, {"params", 100}, {"flops_per_image", per_image},
          {"training_flops", training}, {"seconds", 3}};
}

static json with_ticket(const json& dense, const json& ticket) {
  json s = {{"name", "small"}, {"seed", 1}, {"dense", dense}, {"ticket", ticket}};
  s["ticket"]["ratio"] = 0.5;
  s["phases"] = {{{"precision", "f32"}}, {{"precision", "f32"}}};
  s["speedup"] = {{"counted", 2.0}, {"measured", 1.5}};
  return s;
}

TEST(SummaryTable, a_dense_run_has_the_units_of_its_own_numbers) {
  const json small = {{"seed", 1}, {"dense", network(450123, 5.0e10)}};
  EXPECT_TRUE(has(summary_table(small), "450 kFLOPs per image, 50 GFLOPs in training"))
      << summary_table(small);
  const json large = {{"seed", 1}, {"dense", network(4.1e9, 1.23456e18)}};
  EXPECT_TRUE(has(summary_table(large), "4.1 GFLOPs per image, 1.235 EFLOPs in training"))
      << summary_table(large);
  const json none = {{"seed", 1}, {"dense", json::object()}};
  EXPECT_TRUE(has(summary_table(none), "not measured FLOPs in training")) << summary_table(none);
}

TEST(SummaryTable, dense_and_ticket_have_the_unit_of_the_larger) {
  const std::string text = summary_table(with_ticket(network(2.5e6, 5e10), network(9e5, 8e8)));
  EXPECT_TRUE(has(text, "  MFLOPs per image                       2.5             0.9")) << text;
  EXPECT_TRUE(has(text, "  training GFLOPs                         50             0.8  0.02 of dense"))
      << text;
  EXPECT_FALSE(has(text, "e-")) << text;
}

TEST(SummaryTable, one_epoch_is_one_epoch) {
  json s = {{"seed", 1}, {"dense", network(1e6, 1e9)}};
  s["swa"] = {{"models", 1}, {"start_epoch", 4}, {"top1", 0.5}, {"top5", 0.9}, {"loss", 1.0}};
  EXPECT_TRUE(has(summary_table(s), "of 1 epoch from 4 on"));
  s["swa"]["models"] = 2;
  EXPECT_TRUE(has(summary_table(s), "of 2 epochs from 4 on"));
}

TEST(SummaryTable, a_ticket_between_epochs_has_its_step) {
  json s = {{"seed", 1}, {"dense", network(1e6, 1e9)}, {"steps_per_epoch", 50}};
  s["eb"] = {{"epochs", {{"p30", 0}, {"p50", 2}, {"p70", nullptr}}},
             {"steps", {{"p30", 34}, {"p50", 100}, {"p70", nullptr}}}};
  EXPECT_TRUE(has(summary_table(s), "p30 step 34 (0.68 ep)  p50 epoch 2  p70 not found")) << summary_table(s);
  s.erase("steps_per_epoch");  // of an older run
  EXPECT_TRUE(has(summary_table(s), "p30 epoch 0  p50 epoch 2  p70 not found")) << summary_table(s);
}

TEST(SummaryTable, images_that_were_left_out_are_told) {
  json s = {{"seed", 1}, {"dense", network(1e6, 1e9)}, {"bad_samples", {"a.jpg"}}};
  EXPECT_TRUE(has(summary_table(s), "  1 image could not be read and was left out: a.jpg\n"))
      << summary_table(s);
  s["bad_samples"] = {"a", "b", "c", "d", "e", "f"};
  EXPECT_TRUE(has(summary_table(s), "6 images could not be read and were left out: a, b, c, d, e, ...\n"))
      << summary_table(s);
}
