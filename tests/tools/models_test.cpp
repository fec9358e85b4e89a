// Every experiment in models/ is complete: it loads, resolves, and says what to build.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "engine/config/config.h"
#include "support/paths.h"
#include "tools/experiment/experiment_fields.h"

namespace fs = std::filesystem;
using namespace eb;

static engine::Config load(const std::string& name, const std::vector<std::string>& sets = {}) {
  return engine::load_config(tools::experiment_fields(), {test::source_dir() / "models" / name}, sets);
}

TEST(Models, every_file_resolves) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(test::source_dir() / "models")) {
    if (entry.path().extension() != ".json") continue;
    SCOPED_TRACE(entry.path());
    const auto config = load(entry.path().filename());
    EXPECT_NE(config.is_null("model.arch"), config.is_null("model.graph"));
    EXPECT_EQ(config.is_null("model.arch"), config.is_null("model.depth"));
    EXPECT_TRUE(config.warnings().empty());
    EXPECT_TRUE(names.insert(config.get<std::string>("name")).second) << "two experiments of one name";
    const char* network = config.is_null("model.arch") ? "model.graph" : "model.arch";
    for (const auto* key : {"name", network, "data.kind", "train.duration"})
      EXPECT_NE(config.origin(key), "default") << key;
  }
  EXPECT_GE(names.size(), 7u);
}

TEST(Models, every_file_trains_on_a_folder_of_images_by_two_keys) {
  const auto config = load("vgg16.json", {"data.kind=image_folder", "data.root=/somewhere/else"});
  EXPECT_EQ(config.get<std::string>("data.root"), "/somewhere/else");
  EXPECT_EQ(config.json()["data"]["augment"], (nlohmann::json{"pad4_crop32", "hflip"}));
  EXPECT_EQ(config.get<std::string>("early_bird.deadline"), "80ep");
}

TEST(Models, paper_recipes) {  // docs/method.md 4.5
  struct Recipe {
    const char *file, *duration;
    std::vector<std::string> at;
    int batch, classes;
    double gamma;
  };
  for (const Recipe& r : {Recipe{"vgg16.json", "160ep", {"80ep", "120ep"}, 256, 10, 0.5},
                          Recipe{"vgg16_cifar100.json", "160ep", {"80ep", "120ep"}, 256, 100, 0.5},
                          Recipe{"preresnet101.json", "160ep", {"80ep", "120ep"}, 256, 10, 0.5},
                          Recipe{"resnet18.json", "90ep", {"30ep", "60ep"}, 256, 1000, 1.0},
                          Recipe{"resnet50.json", "90ep", {"30ep", "60ep"}, 256, 1000, 1.0}}) {
    SCOPED_TRACE(r.file);
    const auto c = load(r.file);
    EXPECT_EQ(c.get<std::string>("train.duration"), r.duration);
    EXPECT_EQ(c.get<std::vector<std::string>>("train.schedule.at"), r.at);
    EXPECT_EQ(c.get<int>("train.batch_size"), r.batch);
    EXPECT_EQ(c.get<int>("model.num_classes"), r.classes);
    EXPECT_EQ(c.get<double>("model.init.bn_gamma"), r.gamma);
    EXPECT_EQ(c.get<double>("train.optimizer.lr"), 0.1);
    EXPECT_EQ(c.get<double>("train.optimizer.weight_decay"), 1e-4);
    EXPECT_EQ(c.get<double>("early_bird.l1"), 1e-4);
    EXPECT_EQ(c.get<int>("early_bird.min_channels"), 1);
    EXPECT_EQ(c.get<int>("early_bird.round_to"), 1);
    EXPECT_EQ(c.get<std::string>("early_bird.after.optimizer_state"), "reset");
    EXPECT_EQ(c.get<int>("data.holdout"), 0);
    EXPECT_EQ(c.origin("data.holdout"), "preset you2020");
  }
}

// arXiv 1706.02677: k cards of n images, a rate of 0.1 k n / 256, five epochs of warm-up.
TEST(Models, resnet50_on_eight_cards_is_resnet50_at_the_rate_of_its_batch) {
  const auto one = load("resnet50.json"), eight = load("resnet50_8gpu.json");
  EXPECT_EQ(eight.get<int>("distributed.shards"), 8);
  EXPECT_EQ(eight.get<int>("train.batch_size"), 8 * 256);
  EXPECT_DOUBLE_EQ(eight.get<double>("train.optimizer.lr"), 0.1 * eight.get<int>("train.batch_size") / 256);
  EXPECT_EQ(eight.get<std::string>("train.schedule.warmup"), "5ep");
  nlohmann::json same = eight.json();
  same["name"] = one.json()["name"];
  same["distributed"]["shards"] = nullptr;
  for (const char* key : {"batch_size", "optimizer", "schedule"})
    same["train"][key] = one.json()["train"][key];
  EXPECT_EQ(same, one.json());
}
