// A network that was trained elsewhere, pruned here, and trained on for other classes.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/safetensors.h"
#include "support/run_engine.h"

using namespace eb;
using namespace eb::test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

engine::Checkpoint newest(const std::string& run) {
  return engine::load_checkpoint(engine::resolve_checkpoint(run));
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Outcome succeeds(const std::vector<std::string>& args) {
  Outcome o = run_engine(args);
  EXPECT_EQ(o.exit_code, 0) << o.err;
  return o;
}

std::string fails(const std::vector<std::string>& args) {
  const Outcome o = run_engine(args);
  EXPECT_EQ(o.exit_code, 4) << o.err;
  return o.err;
}

// Half of the channels of an untrained network, compacted.
std::string small_network(const TempDir& dir, const std::string& config) {
  const std::string run = dir / "untrained", ticket = dir / "ticket.safetensors", small = dir / "small";
  EXPECT_EQ(run_engine({"train", config, "--out", run, "-q", "--max-steps", "3"}).exit_code, 75);
  succeeds({"draw", run, "--ratio", "0.5", "-o", ticket});
  succeeds({"compact", run, "--ticket", ticket, "-o", small});
  return small;
}

bool same(const engine::Tensor& a, const engine::Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

}  // namespace

TEST(Finetune, import_search_draw_compact_and_train_on_with_other_classes) {
  const TempDir dir;
  const std::string config =
      tiny_config(dir, R"({"data": {"synthetic": {"train": 640}}, "early_bird": {"deadline": "3ep"}})");
  const auto at = [&](const char* name) { return dir / name; };
  // Weights of another program: a file of tensors without a word about them.
  ASSERT_EQ(run_engine({"train", config, "--out", at("elsewhere"), "-q", "--max-steps", "20"}).exit_code, 75);
  engine::SafetensorsFile weights{newest(at("elsewhere")).model, {}};
  spit(at("weights.safetensors"), engine::to_safetensors(weights));
  succeeds({"import", at("weights.safetensors"), "--model", config, "-o", at("start")});
  succeeds({"train", config, "--init-from", at("start"), "--out", at("pruned"), "-q"});
  succeeds({"draw", at("pruned"), "--ratio", "0.3", "-o", at("t.safetensors")});
  succeeds({"compact", at("pruned"), "--ticket", at("t.safetensors"), "-o", at("small")});
  const engine::Checkpoint small = newest(at("small"));

  std::vector<std::string> train_on = {"train",
                                       config,
                                       "--init-from",
                                       at("small"),
                                       "--replace-classifier",
                                       "5",
                                       "--set",
                                       "data.synthetic.classes=5",
                                       "--deterministic",
                                       "--json",
                                       "--out"};
  const auto go = [&](const std::string& run, const char* steps) {
    auto words = train_on;
    words.insert(words.end(), {run, "--max-steps", steps});
    return run_engine(words);
  };
  const Outcome first = go(at("five"), "0");
  EXPECT_EQ(first.exit_code, 75);
  EXPECT_TRUE(has(first.err, "the network is that of " + at("small"))) << first.err;
  EXPECT_TRUE(has(first.err, "without a search")) << first.err;
  const engine::Checkpoint begun = newest(at("five"));
  ASSERT_EQ(begun.model.size(), small.model.size());
  for (const auto& [name, tensor] : small.model)
    EXPECT_EQ(same(begun.model.at(name), tensor), !name.starts_with("classifier.")) << name;
  EXPECT_EQ(begun.model.at("classifier.weight").shape()[0], 5);
  double deviation = 0;
  const engine::Tensor& fresh = begun.model.at("classifier.weight");
  for (int64_t i = 0; i < fresh.size(); ++i) deviation += std::pow(fresh.data<float>()[i], 2) / fresh.size();
  EXPECT_NEAR(std::sqrt(deviation), 0.01, 0.004) << "as model.init.linear says";

  // The checkpoint it came from is not needed any more, and where it stops changes nothing.
  const Outcome straight = go(at("straight"), "999");
  ASSERT_EQ(straight.exit_code, 0) << straight.err;
  const json s = json::parse(straight.out);
  EXPECT_EQ(s["phases"].size(), 1u);
  EXPECT_LT(s["dense"]["test_loss"], std::log(5)) << "better than a guess of five classes";
  fs::remove_all(at("small"));
  EXPECT_EQ(go(at("five"), "33").exit_code, 75);
  ASSERT_EQ(go(at("five"), "999").exit_code, 0);
  for (const auto& [name, tensor] : newest(at("straight")).model)
    EXPECT_TRUE(same(newest(at("five")).model.at(name), tensor)) << name;

  succeeds({"eval", at("five")});
  succeeds({"export", at("five"), "--to", "torch", "-o", at("torch")});
  // An export is a start too; pruned it is, whatever the run said.
  const Outcome once_more =
      run_engine({"train", config, "--init-from", at("torch"), "--set", "data.synthetic.classes=5", "--set",
                  "model.num_classes=5", "--out", at("more"), "-q", "--max-steps", "1"});
  EXPECT_EQ(once_more.exit_code, 75) << once_more.err;
  EXPECT_EQ(newest(at("more")).graph(), newest(at("five")).graph());
  EXPECT_TRUE(has(fails({"draw", at("five"), "--ratio", "0.3", "-o", at("t2.safetensors")}), "EB4035"));
}

TEST(Finetune, a_pruned_network_is_searched_again_only_when_asked) {
  const TempDir dir;
  const std::string config = tiny_config(dir), small = small_network(dir, config), run = dir / "again";
  const Outcome o = succeeds({"train", config, "--init-from", small, "--out", run, "--json", "--set",
                              "early_bird.enabled=true", "--set", "precision.preset=swalp8"});
  EXPECT_TRUE(has(o.err, "will be again")) << o.err;
  const json s = json::parse(o.out);
  ASSERT_EQ(s["phases"].size(), 2u);
  const json before = json::parse(succeeds({"inspect", small, "--json"}).out);
  EXPECT_EQ(s["dense"]["params"], before["params"]);
  EXPECT_LT(s["ticket"]["params"], s["dense"]["params"]);
  // What the draw kept is the network that came in, so its tickets can be drawn again, but it says so.
  EXPECT_EQ(newest(run + "/dense").graph(), newest(small).graph());
  EXPECT_EQ(json::parse(slurp(run + "/report/report.json"))["runs"][0]["layers"].size(), 8u);
}

TEST(Finetune, what_does_not_fit_says_what_to_type) {
  const TempDir dir;
  const std::string config = tiny_config(dir), small = small_network(dir, config);
  const auto refused = [&](const std::vector<std::string>& sets) {
    std::vector<std::string> words = {"train", config, "--init-from", small, "--out", dir / "refused", "-q"};
    for (const std::string& set : sets) words.insert(words.end(), {"--set", set});
    const std::string error = fails(words);
    EXPECT_TRUE(has(error, "EB4065")) << error;
    EXPECT_FALSE(fs::exists(dir / "refused/ckpt"));
    return error;
  };
  const std::string classes = refused({"model.num_classes=5", "data.synthetic.classes=5"});
  EXPECT_TRUE(has(classes, "--replace-classifier 5") && has(classes, "model.num_classes=10")) << classes;
  // A classifier for nothing.
  EXPECT_EQ(
      run_engine({"train", config, "--replace-classifier", "5", "--out", dir / "random", "-q"}).exit_code, 2);
}

TEST(Finetune, images_of_another_size_and_a_network_other_than_the_configs) {
  const TempDir dir;
  const std::string resnet =
      tiny_config(dir, R"({"model": {"arch": "preresnet", "depth": 11, "width": 0.25}})");
  const std::string small = small_network(dir, resnet);
  const Outcome o = run_engine({"train", tiny_config(dir), "--init-from", small, "--out", dir / "run",
                                "--max-steps", "1", "--set", "model.input=[3, 40, 40]", "--set",
                                "data.synthetic.size=40", "--set", "data.augment=[\"hflip\"]"});
  ASSERT_EQ(o.exit_code, 75) << o.err;
  EXPECT_TRUE(has(o.err, "instead of the config's vgg 11")) << o.err;
  const json config = newest(dir / "run").config();
  EXPECT_EQ(config["model"]["arch"], "preresnet");
  EXPECT_EQ(newest(dir / "run").graph()["input"]["shape"], json({3, 40, 40}));
  EXPECT_EQ(newest(dir / "run").graph()["nodes"], newest(small).graph()["nodes"]);
}
