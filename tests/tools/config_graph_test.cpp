// A network of one's own: the graph of every experiment goes out and comes back the same, the reference and
// the schema know every op and key.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/base/json_lines.h"
#include "engine/config/config.h"
#include "engine/graph/accounting.h"
#include "engine/graph/graph_schema.h"
#include "engine/train/model_config.h"
#include "support/error_code.h"
#include "support/paths.h"
#include "support/pruning_models.h"
#include "support/run_command.h"
#include "support/run_engine.h"
#include "tools/cli/commands.h"
#include "tools/experiment/experiment_fields.h"

using namespace eb;
using namespace eb::engine;
using nlohmann::json;
namespace fs = std::filesystem;

static Config load(const std::vector<fs::path>& files, const std::vector<std::string>& sets = {}) {
  return load_config(tools::experiment_fields(), files, sets);
}

static test::Printed config(const std::vector<std::string>& words) {
  return test::run_command(tools::config_command(), words);
}

static void expect_same_network(const Graph& a, const Graph& b) {
  EXPECT_EQ(to_json(a).dump(), to_json(b).dump());
  const GraphCost x = graph_cost(a), y = graph_cost(b);
  EXPECT_EQ(x.params, y.params);
  EXPECT_EQ(x.flops, y.flops);
  EXPECT_EQ(x.macs, y.macs);
}

TEST(ConfigGraph, every_experiment_comes_back_behind_its_file_and_alone) {
  test::TempDir dir;
  const std::string layer = dir / "layer.json", whole = dir / "whole.json";
  int files = 0;
  for (const auto& entry : fs::directory_iterator(test::source_dir() / "models")) {
    if (entry.path().extension() != ".json") continue;
    SCOPED_TRACE(entry.path());
    test::spit(layer, config({"graph", entry.path()}).out);
    test::spit(whole, config({"graph", "--whole", entry.path()}).out);
    const Config was = load({entry.path()}), behind = load({entry.path(), layer}), alone = load({whole});
    expect_same_network(graph_of(was), graph_of(behind));
    expect_same_network(graph_of(was), graph_of(alone));
    for (const std::string& key : was.table().keys()) {
      const bool of_graph = key == "model.arch" || key == "model.depth" || key == "model.width" ||
                            key == "model.downsample_bias" || key == "model.graph";
      if (of_graph) continue;
      EXPECT_EQ(behind.at(key), was.at(key)) << key;
      EXPECT_EQ(alone.at(key), was.at(key)) << key;
    }
    ++files;
  }
  EXPECT_GE(files, 15);
}

TEST(ConfigGraph, a_step_has_the_same_bits) {
  test::TempDir dir;
  const std::string file = test::source_dir() / "models/quickstart.json", layer = dir / "layer.json";
  const std::string narrow = "model.width=0.125";
  test::spit(layer, config({"graph", file, "--set", narrow}).out);
  const auto gradients = [](const Config& c) {
    Model m(graph_of(c), DType::f32);
    initialize(m, init_of(c), 3);
    test::loss_and_gradients(m, test::random_batch(m.graph(), 4));
    std::vector<float> all;
    for (const Parameter& p : m.parameters()) all.insert(all.end(), m.gradient(p), m.gradient(p) + p.count);
    return all;
  };
  const auto was = gradients(load({file}, {narrow})), is = gradients(load({file, layer}));
  ASSERT_EQ(was.size(), is.size());
  EXPECT_EQ(std::memcmp(was.data(), is.data(), was.size() * sizeof(float)), 0);
}

TEST(ConfigGraph, is_written_a_node_a_line_without_what_goes_without_saying) {
  const std::string out = config({"graph", test::source_dir() / "models/preresnet101.json"}).out;
  EXPECT_NE(out.find("\n        {\"id\": \"conv1\", \"op\": \"conv\", \"in\": [\"x\"], \"out_channels\": 16, "
                     "\"kernel\": "
                     "3, \"pad\": 1},\n"),
            std::string::npos)
      << out.substr(0, 600);
  EXPECT_EQ(out.find("\"total\""), std::string::npos);
  EXPECT_EQ(out.find("\"eps\""), std::string::npos);
  const Graph g =
      graph_from_json(json::parse(R"({"input": {"id": "x", "shape": [3, 9, 9]}, "output": "fc", "nodes": [
      {"id": "p", "op": "max_pool", "in": ["x"], "kernel": 3, "stride": 1, "pad": [1, 0]},
      {"id": "q", "op": "avg_pool", "in": ["p"], "kernel": 2, "stride": 2},
      {"id": "s", "op": "select", "in": ["q"], "indices": [0, 2], "total": 3},
      {"id": "b", "op": "bn", "in": ["s"], "eps": 1e-3, "momentum": 0.1},
      {"id": "fc", "op": "linear", "in": ["b"], "out_channels": 4, "bias": false}]})"));
  const json nodes = json(short_json(g))["nodes"];
  const json expected = json::parse(R"([
      {"id": "p", "op": "max_pool", "in": ["x"], "kernel": 3, "stride": 1, "pad": [1, 0]},
      {"id": "q", "op": "avg_pool", "in": ["p"], "kernel": 2},
      {"id": "s", "op": "select", "in": ["q"], "indices": [0, 2]},
      {"id": "b", "op": "bn", "in": ["s"], "eps": 1e-3},
      {"id": "fc", "op": "linear", "in": ["b"], "out_channels": 4, "bias": false}])");
  for (size_t i = 0; i < expected.size(); ++i)
    for (const auto& [key, value] : expected[i].items()) EXPECT_EQ(nodes[i].value(key, json()), value) << key;
  EXPECT_FALSE(nodes[1].contains("stride"));
  EXPECT_FALSE(nodes[3].contains("momentum"));
}

TEST(ConfigGraph, a_file_is_written_once_and_said_how_to_train) {
  test::TempDir dir;
  const std::string file = test::source_dir() / "models/resnet18.json", out = dir / "mine.json";
  const test::Printed printed = config({"graph", file, "-o", out});
  EXPECT_EQ(printed.out, "");
  EXPECT_EQ(printed.err, "train it: eb_engine train " + file + " " + out + "\n");
  EXPECT_EQ(test::slurp(out), config({"graph", file}).out);
  EXPECT_EQ(test::code_of([&] { config({"graph", file, "-o", out}); }), 2026);
  EXPECT_EQ(config({"validate", "--merged", file, out}).out, file + " " + out + ": valid\n");
  EXPECT_EQ(config({"validate", file, out}).code, 2) << "the second is no experiment";
}

TEST(ConfigGraph, the_reference_is_up_to_date) {
  const std::string text = test::slurp(test::source_dir() / "docs/own_network.md");
  const size_t at = text.find("## All ops");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(text.substr(at), config({"ops"}).out)
      << "replace everything from \"## All ops\" on: build/eb_engine config ops";
}

TEST(ConfigGraph, the_schema_knows_the_keys_of_every_op) {
  const json schema = json::parse(config({"schema"}).out);
  const json& field = schema["properties"]["model"]["properties"]["graph"];
  const json& cases = field["anyOf"][0]["properties"]["nodes"]["items"]["allOf"];
  ASSERT_EQ(cases.size(), all_ops().size() - 1);
  for (size_t i = 0; i < cases.size(); ++i) {
    const Op op = all_ops()[i + 1];
    const json &node = cases[i]["then"], &required = node["required"];
    EXPECT_EQ(cases[i]["if"]["properties"]["op"]["const"], op->name);
    EXPECT_EQ(node["additionalProperties"], false);
    EXPECT_EQ(node["properties"].size(), 3 + op->keys.size());
    for (const Key& key : op->keys) {
      EXPECT_EQ(node["properties"][key.name]["description"], key.doc.text);
      EXPECT_EQ(std::count(required.begin(), required.end(), key.name), key.must_be_given) << key.name;
    }
  }
  EXPECT_EQ(cases[0]["then"]["properties"]["stride"]["default"], 1);
}

TEST(ConfigGraph, sentences_end_in_a_full_stop) {
  for (const Op op : all_ops()) {
    EXPECT_TRUE(std::string(op->doc.text).ends_with(".")) << op->name;
    for (const Key& key : op->keys) EXPECT_TRUE(std::string(key.doc.text).ends_with(".")) << key.name;
  }
}

TEST(JsonLines, what_fits_stands_on_one_line) {
  nlohmann::ordered_json j = nlohmann::ordered_json::parse(R"({"z": {"a": 1, "b": [2, 3]}, "empty": {}})");
  j["long"] = std::vector<int>(30, 7);
  j["text"] = "a \"b\"";
  EXPECT_TRUE(dump_json_lines(j, 30).starts_with(R"({
  "z": {"a": 1, "b": [2, 3]},
  "empty": {},
  "long": [7, 7, 7, 7, 7, 7)"))
      << dump_json_lines(j, 30);
  for (const size_t width : {size_t{1}, size_t{20}, size_t{1000}})
    EXPECT_EQ(nlohmann::ordered_json::parse(dump_json_lines(j, width)), j) << width;
  EXPECT_EQ(dump_json_lines(j, 1000).find('\n'), std::string::npos);
}
