// What training would stop at is found in the configuration alone, and named.
#include "tools/experiment/model_rules.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/error_code.h"
#include "support/run_engine.h"
#include "tools/experiment/experiment_fields.h"

using namespace eb;
using engine::Config;
using nlohmann::json;

namespace {

json experiment() {
  return json::parse(R"({
    "model": {"graph": {"input": {"id": "x", "shape": [3, 32, 32]}, "output": "fc", "nodes": [
      {"id": "c", "op": "conv", "in": ["x"], "out_channels": 8, "kernel": 3, "pad": 1},
      {"id": "b", "op": "bn", "in": ["c"]},
      {"id": "p", "op": "global_avg_pool", "in": ["b"]},
      {"id": "fc", "op": "linear", "in": ["p"], "out_channels": 10}]}},
    "data": {"kind": "synthetic"}})");
}

// The experiment with JSON patch operations on its graph.
json with_graph(const char* change) {
  json all = experiment();
  all["model"]["graph"] = all["model"]["graph"].patch(json::parse(change));
  return all;
}

// As a user would write it: a file.
Config load(const json& tree, const std::vector<std::string>& sets = {}) {
  test::TempDir dir;
  test::spit(dir / "mine.json", tree.dump());
  return engine::load_config(tools::experiment_fields(), {dir / "mine.json"}, sets);
}

std::string refusal(const json& tree, const std::vector<std::string>& sets = {}) {
  const Error e = test::error_of([&] { load(tree, sets); });
  return std::to_string(e.code()) + " " + e.message();
}

}  // namespace

TEST(ModelRules, the_graph_says_classes_and_input) {
  EXPECT_EQ(load(experiment()).origin("model.num_classes"), "default");
  const json four = with_graph(R"([{"op": "replace", "path": "/nodes/3/out_channels", "value": 4},
                                   {"op": "replace", "path": "/input/shape", "value": [3, 16, 16]}])");
  std::vector<std::string> sets = {"data.synthetic.classes=4", "data.synthetic.size=16"};
  const Config filled = load(four, sets);
  EXPECT_EQ(filled.get<int>("model.num_classes"), 4);
  EXPECT_EQ(filled.at("model.input"), (json{3, 16, 16}));
  EXPECT_EQ(filled.origin("model.input"), "model.graph");
  sets.push_back("model.num_classes=10");
  EXPECT_EQ(refusal(four, sets), "2010 model.num_classes: 10, but the output \"fc\" of model.graph says 4");
  sets.back() = "model.input=[3,32,32]";
  EXPECT_EQ(refusal(four, sets), "2010 model.input: [3,32,32], but the input of model.graph says [3,16,16]");
}

// Where every key has a value nobody has given one: runs of before are read.
TEST(ModelRules, a_resolved_tree_contradicts_nothing) {
  json tree = experiment();
  tree["model"]["num_classes"] = 7;
  tree["model"]["width"] = 0.5;
  const Config c = engine::config_from_json(tools::experiment_fields(), tree, "RUN");
  EXPECT_EQ(c.get<int>("model.num_classes"), 10);
}

TEST(ModelRules, keys_of_an_architecture_mean_nothing_beside_a_graph) {
  EXPECT_EQ(refusal(experiment(), {"model.width=0.5"}),
            "2010 model.width: model.graph has every layer, so this would change nothing");
  EXPECT_EQ(refusal(experiment(), {"model.depth=18"}).substr(0, 17), "2010 model.depth:");
  EXPECT_EQ(refusal(experiment(), {"model.width=1"}), "0 no error");
  json tree = experiment();
  tree["model"]["width"] = 2;
  EXPECT_EQ(refusal(tree).substr(0, 17), "2010 model.width:");
}

TEST(ModelRules, classes_are_those_of_the_data) {
  EXPECT_EQ(refusal(experiment(), {"data.synthetic.classes=9"}),
            "2010 model.graph: synthetic has 9 classes, the model 10");
  EXPECT_EQ(refusal(experiment(), {"data.kind=cifar100_bin", "data.root=x"}),
            "2010 model.graph: cifar100_bin has 100 classes, the model 10");
}

TEST(ModelRules, images_are_those_of_the_data) {
  EXPECT_EQ(refusal(experiment(), {"data.synthetic.size=48"}),
            "2010 data.synthetic.size: images of 48x48, but the input of model.graph is 32x32");
  const json small = with_graph(R"([{"op": "replace", "path": "/input/shape", "value": [3, 24, 24]}])"),
             grey = with_graph(R"([{"op": "replace", "path": "/input/shape", "value": [1, 32, 32]}])");
  EXPECT_EQ(refusal(small, {"data.kind=cifar10_bin", "data.root=x"}),
            "2010 data.kind: images of 32x32, but the input of model.graph is 24x24");
  EXPECT_EQ(refusal(grey),
            "2010 model.graph: the input of model.graph has 1 channels, and images have 3: red, green, blue");
}

TEST(ModelRules, the_output_is_a_vector_of_classes) {
  const json map = with_graph(R"([{"op": "replace", "path": "/output", "value": "b"},
                                  {"op": "remove", "path": "/nodes/3"}, {"op": "remove", "path": "/nodes/2"}])");
  EXPECT_EQ(refusal(map),
            "2111 model.graph: the output \"b\" is (8, 32, 32), want (classes, 1, 1) with 2 classes or more");
}

TEST(ModelRules, a_batch_norm_needs_more_than_one_value) {
  const json behind_pool = with_graph(R"([{"op": "replace", "path": "/nodes/1/in", "value": ["p"]},
                                          {"op": "replace", "path": "/nodes/2/in", "value": ["c"]},
                                          {"op": "replace", "path": "/nodes/3/in", "value": ["b"]}])");
  EXPECT_EQ(
      refusal(behind_pool, {"train.batch_size=1"}),
      "2010 train.batch_size: 1, and the batch norm \"b\" sees one value a channel of such a batch, which "
      "has no variance");
  EXPECT_EQ(refusal(behind_pool, {"train.batch_size=2"}), "0 no error");
  EXPECT_EQ(refusal(experiment(), {"train.batch_size=1"}), "0 no error") << "it sees 32 x 32 values";
}

TEST(ModelRules, something_can_be_pruned_and_protected) {
  const json none = with_graph(R"([{"op": "remove", "path": "/nodes/1"},
                                   {"op": "replace", "path": "/nodes/1/in", "value": ["c"]}])");
  EXPECT_EQ(refusal(none).substr(0, 36), "2031 model.graph: the network has no");
  EXPECT_EQ(refusal(none, {"early_bird.enabled=false"}), "0 no error");
  EXPECT_EQ(refusal(experiment(), {R"(early_bird.protect=["bb"])"}),
            "2005 protect: no batch norm is called \"bb\"");
  EXPECT_EQ(refusal(experiment(), {R"(early_bird.protect=["b"])"}), "0 no error");
}
