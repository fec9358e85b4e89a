// Layers of a configuration, origins, --set and what the program sets itself, on a small table.
#include "engine/config/config.h"

#include "support/config_fixture.h"

using namespace eb;
using namespace eb::tests;
using ConfigTest = ConfigFolder;

TEST_F(ConfigTest, every_key_is_present_and_says_where_it_came_from) {
  const Config c =
      load("{\n  \"data\": {\"kind\": \"file\"},\n  \"train\": {\"lr\": 1}\n}", {"train.steps=9"});
  EXPECT_EQ(c.get<double>("train.lr"), 1.0);
  EXPECT_EQ(c.get<int>("train.steps"), 9);
  EXPECT_EQ(c.get<std::string>("data.root"), ".");
  EXPECT_TRUE(c.is_null("train.clip"));
  EXPECT_EQ(c.origin("train.lr"), (folder_ / "c.json").string() + ":3:13");
  EXPECT_EQ(c.origin("train.steps"), "--set train.steps=9");
  EXPECT_EQ(c.origin("data.root"), "default");
  EXPECT_THROW(c.at("train.lrr"), std::logic_error);
  EXPECT_EQ(c.ordered().begin().key(), "name");
  EXPECT_EQ(c.ordered()["train"].size(), 5u);
}

TEST_F(ConfigTest, layers_in_order) {
  write("base/b.json", R"({"extends": "deep.json", "train": {"lr": 2, "steps": 20}, "graph": {"a": 1}})");
  write("base/deep.json",
        R"({"train": {"lr": 3, "steps": 30, "warmup": "3ep"}, "data": {"kind": "folder"}})");
  const auto first = write("c.json", R"({"extends": "base/b.json", "train": {"lr": 1}, "graph": {"b": 2}})");
  const auto second = write("d.json", R"({"train": {"at": []}})");
  const Config c = engine::load_config(table(), {first, second}, {"train.clip=4"});
  EXPECT_EQ(c.get<double>("train.lr"), 1);
  EXPECT_EQ(c.get<int>("train.steps"), 20);
  EXPECT_EQ(c.get<std::string>("train.warmup"), "3ep");
  EXPECT_EQ(c.get<double>("train.clip"), 4);
  EXPECT_EQ(c.at("train.at"), json::array());
  EXPECT_EQ(c.at("graph"), (json{{"b", 2}})) << "a value that is an object is replaced, not merged";
  EXPECT_EQ(c.origin("train.warmup"), (folder_ / "base/deep.json").string() + ":1:34");
}

TEST_F(ConfigTest, a_preset_lies_between_defaults_and_files) {
  const Config c = load(R"({"data": {"kind": "file"}, "preset": "small", "train": {"steps": 8}})");
  EXPECT_EQ(c.get<int>("train.steps"), 8);
  EXPECT_EQ(c.get<double>("train.lr"), 0.25);
  EXPECT_EQ(c.origin("train.lr"), "preset small");
  EXPECT_EQ(load(R"({"data": {"kind": "file"}, "preset": "small"})", {"preset=null"}).get<int>("train.steps"),
            5);
}

TEST_F(ConfigTest, paths_expand_three_variables) {
  setenv("EB_DATA", "/data", 1);
  EXPECT_EQ(load(R"({"data": {"kind": "file", "root": "${EB_DATA}/c/$x${"}})").get<std::string>("data.root"),
            "/data/c/$x${");
  unsetenv("EB_DATA");
  const Error e = refused(R"({"data": {"kind": "file", "root": "${EB_DATA}/c"}})");
  EXPECT_EQ(e.code(), 2005);
  EXPECT_EQ(e.hint(), "export EB_DATA=DIRECTORY, or set data.root");
  EXPECT_EQ(load(R"({"data": {"kind": "file"}, "name": "${HOME}"})").get<std::string>("name"), "${HOME}");
}

TEST_F(ConfigTest, set_values) {
  const std::string base = R"({"data": {"kind": "file"}, "graph": {"nodes": [{"id": "a"}, {"id": "b"}]}})";
  const auto with = [&](const std::string& set) { return load(base, {set}); };
  EXPECT_EQ(with("train.lr=1e-2").get<double>("train.lr"), 0.01);
  EXPECT_EQ(with("name=run7").get<std::string>("name"), "run7");
  EXPECT_EQ(with("name=\"7\"").get<std::string>("name"), "7");
  EXPECT_EQ(with("name=a=b").get<std::string>("name"), "a=b");
  EXPECT_EQ(with("train.warmup=3ep").get<std::string>("train.warmup"), "3ep");
  EXPECT_EQ(with("data.fast=true").get<bool>("data.fast"), true);
  EXPECT_EQ(with("data.mean[1]=-0.25").at("data.mean"), (json{0.5, -0.25}));
  EXPECT_EQ(with("data.mix=[\"flip\"]").at("data.mix"), (json{"flip"}));
  EXPECT_EQ(with("train.at[0]=2ep").at("train.at"), (json{"2ep"}));
  EXPECT_EQ(with("train={\"lr\": 3, \"steps\": 4}").get<int>("train.steps"), 4);
  EXPECT_EQ(with("graph.nodes[1].id=\"c\"").at("graph")["nodes"][1]["id"], "c");
  EXPECT_EQ(with("graph.extra=1").at("graph")["extra"], 1);
}

TEST_F(ConfigTest, a_repeated_set_wins_and_warns) {
  const Config c = load(R"({"data": {"kind": "file"}})", {"train.lr=1", "train.steps=2", "train.lr=3"});
  EXPECT_EQ(c.get<double>("train.lr"), 3);
  ASSERT_EQ(c.warnings().size(), 1u);
  EXPECT_EQ(c.warnings()[0], "--set train.lr is given more than once: the last one counts");
}

TEST_F(ConfigTest, set_by_the_program_is_checked_too) {
  Config c = load(R"({"data": {"kind": "file"}})");
  c.set("train.steps", 13, "--steps");
  EXPECT_EQ(c.origin("train.steps"), "--steps");
  EXPECT_THROW(c.check(), Error);
  EXPECT_THROW(c.set("train.steps", 1000), Error);
  EXPECT_THROW(c.set("train.stepz", 1), std::logic_error);
}

TEST_F(ConfigTest, a_resolved_tree_reads_back_as_it_was) {
  const Config c = load(R"({"data": {"kind": "file"}, "train": {"lr": 1}, "preset": "small"})");
  const Config back =
      engine::config_from_json(table(), json::parse(c.ordered().dump()), "config.resolved.json");
  EXPECT_EQ(back.json(), c.json());
  EXPECT_EQ(back.origin("train.lr"), "config.resolved.json");
  try {
    engine::config_from_json(table(), {{"train", {{"lr", "x"}}}}, "ckpt/config.resolved.json");
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.where(), "ckpt/config.resolved.json   (/train/lr)");
  }
  EXPECT_THROW(engine::config_from_json(table(), json::array(), "x"), Error);
}
