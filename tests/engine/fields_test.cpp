// The engine's own keys: defaults and the rules between them.
#include "engine/train/fields.h"

#include <gtest/gtest.h>

using namespace eb;
using engine::Config;
using nlohmann::json;

TEST(EngineFields, defaults_pass_their_own_checks) {
  const Config c =
      engine::config_from_json(engine::engine_fields(), {{"model", {{"arch", "vgg"}, {"depth", 16}}}}, "t");
  EXPECT_EQ(c.get<int>("train.batch_size"), 256);
}

TEST(EngineFields, rules) {
  const auto code = [](const json& model, const json& train) {
    try {
      engine::config_from_json(engine::engine_fields(), {{"model", model}, {"train", train}}, "t");
    } catch (const Error& e) {
      return e.code();
    }
    return 0;
  };
  const json vgg = {{"arch", "vgg"}, {"depth", 16}}, none = json::object();
  const json graph = json::parse(R"({"input": {"id": "x", "shape": [3, 4, 4]}, "output": "fc",
    "nodes": [{"id": "fc", "op": "linear", "in": ["x"], "out_channels": 10, "bias": true}]})");
  EXPECT_EQ(code(vgg, none), 0);
  EXPECT_EQ(code({{"graph", graph}}, none), 0);
  EXPECT_EQ(code({{"graph", none}}, none), 2101);
  EXPECT_EQ(code(none, none), 2006);
  EXPECT_EQ(code({{"arch", "vgg"}}, none), 2006);
  EXPECT_EQ(code({{"arch", "vgg"}, {"depth", 17}}, none), 2112);
  EXPECT_EQ(code({{"arch", "preresnet"}, {"depth", 100}}, none), 2112);
  EXPECT_EQ(code({{"arch", "preresnet"}, {"depth", 2}}, none), 2112);
  EXPECT_EQ(code({{"arch", "preresnet"}, {"depth", 164}}, none), 0);
  EXPECT_EQ(code({{"arch", "vgg"}, {"depth", 16}, {"graph", graph}}, none), 2010);
  EXPECT_EQ(code(vgg, {{"duration", "0ep"}}), 2005);
  EXPECT_EQ(code(vgg, {{"duration", "5ep"}, {"schedule", {{"warmup", "6ep"}}}}), 2010);
  EXPECT_EQ(code(vgg, {{"duration", "5ep"}, {"schedule", {{"warmup", "6st"}}}}), 0);
  EXPECT_EQ(code(vgg, {{"schedule", {{"at", {"80ep", "40ep"}}}}}), 2010);
  EXPECT_EQ(code(vgg, {{"schedule", {{"at", {"80ep", "80ep"}}}}}), 2010);
  EXPECT_EQ(code(vgg, {{"optimizer", {{"nesterov", true}, {"momentum", 0}}}}), 2010);
  EXPECT_EQ(code(vgg, {{"accumulate", 2}}), 0);
  EXPECT_EQ(code(vgg, {{"accumulate", 0}}), 2005);
  EXPECT_EQ(code(vgg, {{"ema", 0.9}}), 2011);
}
