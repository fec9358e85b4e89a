// Rules between the sections of an experiment.
#include "tools/experiment/experiment_fields.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/base/error.h"

using eb::engine::Config;
using nlohmann::json;

static Config load(json overrides) {
  json tree = json::parse(R"({"model": {"arch": "vgg", "depth": 11}, "data": {"kind": "synthetic"}})");
  tree.merge_patch(overrides);
  return eb::engine::config_from_json(eb::tools::experiment_fields(), tree, "t");
}
static int code_of(const char* overrides) {
  try {
    load(json::parse(overrides));
  } catch (const eb::Error& e) {
    return e.code();
  }
  return 0;
}

TEST(ExperimentFields, keys_are_unique_and_no_key_is_a_section) {
  std::set<std::string> seen;
  const auto& table = eb::tools::experiment_fields();
  for (const auto& f : table.fields) {
    EXPECT_TRUE(seen.insert(f.key).second) << f.key;
    EXPECT_FALSE(table.is_section(f.key)) << f.key;
    EXPECT_TRUE(f.doc.ends_with(".")) << f.key;
  }
}

TEST(ExperimentFields, deadline) {
  EXPECT_EQ(load({{"train", {{"duration", "7ep"}}}}).get<std::string>("early_bird.deadline"), "4ep");
  EXPECT_EQ(load({{"train", {{"duration", "7ep"}}}}).origin("early_bird.deadline"), "half of train.duration");
  EXPECT_TRUE(load({{"early_bird", {{"on_not_found", "fail"}}}}).is_null("early_bird.deadline"));
  EXPECT_TRUE(load({{"early_bird", {{"enabled", false}}}}).is_null("early_bird.deadline"));
  EXPECT_EQ(code_of(R"({"train": {"duration": "7ep"}, "early_bird": {"deadline": "8ep"}})"), 2010);
  EXPECT_EQ(code_of(R"({"train": {"duration": "7ep"}, "early_bird": {"deadline": "7ep"}})"), 0);
  EXPECT_EQ(code_of(R"({"train": {"duration": "7ep"}, "early_bird": {"deadline": "8ep", "enabled": false}})"),
            0);
}

TEST(ExperimentFields, draw_at) {
  const auto code = [](const std::string& early_bird) {
    const std::string text = R"({"train": {"duration": "7ep"}, "early_bird": {)" + early_bird + "}}";
    return code_of(text.c_str());
  };
  EXPECT_EQ(code(R"("draw_at": "3ep")"), 0);
  EXPECT_EQ(code(R"("draw_at": "0ep")"), 2005);
  EXPECT_EQ(code(R"("draw_at": "3ep", "deadline": "4ep")"), 2010);
  EXPECT_EQ(code(R"("draw_at": "7ep")"), 2010) << "nothing is left to train";
  EXPECT_EQ(code(R"("draw_at": "7ep", "after": {"schedule": "restart"})"), 0);
  EXPECT_EQ(code(R"("draw_at": "8ep", "after": {"schedule": "restart"})"), 2010);
  EXPECT_TRUE(load({{"early_bird", {{"draw_at", "3ep"}}}}).is_null("early_bird.deadline"));
}

TEST(ExperimentFields, data_and_model_must_meet) {
  EXPECT_EQ(code_of("{}"), 0);
  EXPECT_EQ(code_of(R"({"model": {"num_classes": 9}})"), 2010);
  EXPECT_EQ(code_of(R"({"model": {"num_classes": 9}, "data": {"synthetic": {"classes": 9}}})"), 0);
  EXPECT_EQ(code_of(R"({"data": {"kind": "cifar100_bin", "root": "x"}})"), 2010);
  EXPECT_EQ(code_of(R"({"data": {"synthetic": {"size": 48}}})"), 2010);
  EXPECT_EQ(code_of(R"({"model": {"input": [3, 48, 48]}, "data": {"synthetic": {"size": 48}}})"), 0);
  EXPECT_EQ(code_of(R"({"data": {"kind": "image_folder", "root": "x", "augment": ["random_resized_crop"]}})"),
            2010);
  EXPECT_EQ(code_of(R"({"model": {"input": [1, 32, 32]}})"), 2010);
}

TEST(ExperimentFields, later_features_are_refused_by_name) {
  for (const char* text :
       {R"({"precision": {"mode": "tf32"}})", R"({"distributed": {"reduce": "nccl"}})",
        R"({"train": {"ema": 0.99}})", R"({"guard": {"on_nonfinite": "rollback"}})",
        R"({"guard": {"loss_spike_z": 6}})", R"({"train": {"optimizer": {"kind": "adamw"}}})"})
    EXPECT_EQ(code_of(text), 2011) << text;
  EXPECT_EQ(load({{"precision", {{"mode", "fp32"}}}}).get<std::string>("precision.mode"), "f32");
}

TEST(ExperimentFields, a_network_that_cannot_be_names_the_model_s_line) {
  try {
    load({{"model", {{"depth", 17}}}});
    ADD_FAILURE();
  } catch (const eb::Error& e) {
    EXPECT_EQ(e.code(), 2112);
    EXPECT_EQ(e.where(), "t   (/model/arch)");
  }
}
