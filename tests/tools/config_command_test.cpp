// eb_engine config, in process: what it prints, and that docs/config.md is what the table says.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/base/error.h"
#include "support/paths.h"
#include "support/run_command.h"
#include "tools/cli/commands.h"
#include "tools/cli/config_docs.h"
#include "tools/experiment/experiment_fields.h"

using eb::test::Printed, eb::test::run_command;
using nlohmann::json;

static const std::string models = eb::test::source_dir().string() + "/models/";

static Printed config(const std::vector<std::string>& words) {
  return run_command(eb::tools::config_command(), words);
}

TEST(ConfigCommand, show_prints_pure_json_that_reads_back) {
  const Printed o = config({"show", models + "vgg16.json", "--set", "seed=7", "--set", "name=x"});
  EXPECT_EQ(o.code, 0);
  EXPECT_EQ(o.err, "");
  const json tree = json::parse(o.out);
  EXPECT_EQ(tree["seed"], 7);
  EXPECT_EQ(tree["name"], "x");
  EXPECT_EQ(tree["model"]["depth"], 16);
  const auto again = eb::engine::config_from_json(eb::tools::experiment_fields(), tree, "shown");
  EXPECT_EQ(again.json(), tree);
}

TEST(ConfigCommand, show_origin) {
  const json all =
      json::parse(config({"show", "--origin", "--json", models + "vgg16.json", "--set", "seed=7"}).out);
  EXPECT_EQ(all["seed"], (json{{"value", 7}, {"origin", "--set seed=7"}}));
  EXPECT_EQ(all["model.depth"]["origin"], models + "vgg16.json:5:29");
  EXPECT_EQ(all["train.batch_size"]["origin"], models + "base/cifar.json:12:5");
  EXPECT_EQ(all["data.holdout"]["origin"], "preset you2020");
  EXPECT_EQ(all["log.every"]["origin"], "default");
  const std::string text = config({"show", "--origin", models + "vgg16.json"}).out;
  EXPECT_NE(text.find("\ndata.holdout "), std::string::npos);
}

TEST(ConfigCommand, warnings_go_to_stderr) {
  const Printed o = config({"validate", models + "vgg16.json", "--set", "seed=7", "--set", "seed=8"});
  EXPECT_EQ(o.out, models + "vgg16.json: valid\n");
  EXPECT_NE(o.err.find("--set seed is given more than once"), std::string::npos);
}

TEST(ConfigCommand, validate_refuses) {
  EXPECT_THROW(config({"validate", models + "vgg16.json", "--set", "sead=7"}), eb::Error);
  EXPECT_EQ(config({"validate"}).code, 2);
  EXPECT_EQ(json::parse(config({"validate", "--json", models + "vgg16.json"}).out)["valid"], true);
}

TEST(ConfigCommand, validate_takes_each_file_by_itself) {
  const std::string good = models + "vgg16.json", absent = models + "absent.json";
  EXPECT_EQ(config({"validate", good, models + "quickstart.json"}).out,
            good + ": valid\n" + models + "quickstart.json: valid\n");
  const Printed o = config({"validate", absent, good});
  EXPECT_EQ(o.code, 2);
  EXPECT_EQ(o.out, good + ": valid\n");
  EXPECT_NE(o.err.find("EB2012"), std::string::npos) << o.err;
  const Printed all = config({"validate", "--json", absent, good});
  EXPECT_EQ(all.code, 2);
  const json facts = json::parse(all.out);
  EXPECT_EQ(facts["valid"], false);
  EXPECT_EQ(facts["errors"].size(), 1u);
  EXPECT_EQ(json::parse(config({"validate", "--json", absent}).out)["valid"], false);
}

TEST(ConfigCommand, validate_warns_of_drops_that_never_come) {
  const Printed o = config({"validate", models + "vgg16.json", "--set", "train.duration=100ep"});
  EXPECT_EQ(o.code, 0);
  EXPECT_NE(o.err.find("never drops at 120ep"), std::string::npos) << o.err;
  EXPECT_EQ(config({"validate", models + "vgg16.json"}).err, "");
}

TEST(ConfigCommand, explain_prints_json_of_a_section_too) {
  EXPECT_EQ(json::parse(config({"explain", "--json", "early_bird.threshold"}).out)["default"], 0.1);
  EXPECT_TRUE(json::parse(config({"explain", "--json", "early_bird"}).out).contains("early_bird.threshold"));
  EXPECT_TRUE(json::parse(config({"explain", "--json"}).out).contains("seed"));
}

TEST(ConfigCommand, explain) {
  const std::string one = config({"explain", "early_bird.threshold"}).out;
  EXPECT_NE(one.find("default  0.1"), std::string::npos);
  EXPECT_NE(one.find("0 <= x <= 1"), std::string::npos);
  EXPECT_NE(config({"explain", "early_bird"}).out.find("early_bird.after.l1"), std::string::npos);
  EXPECT_NE(config({"explain"}).out.find("train.batch_size"), std::string::npos);
  try {
    config({"explain", "early_bird.treshold"});
    ADD_FAILURE();
  } catch (const eb::Error& e) {
    EXPECT_EQ(e.code(), 2003);
    EXPECT_TRUE(e.hint().starts_with("did you mean \"threshold\"?"));
  }
}

TEST(ConfigCommand, schema_describes_every_key) {
  const json schema = json::parse(config({"schema"}).out);
  for (const auto& f : eb::tools::experiment_fields().fields) {
    const json* node = &schema;
    std::istringstream parts(f.key);
    for (std::string part; std::getline(parts, part, '.');) {
      ASSERT_TRUE((*node)["properties"].contains(part)) << f.key;
      node = &(*node)["properties"][part];
    }
    EXPECT_EQ((*node)["description"], f.doc);
  }
  EXPECT_EQ(schema["additionalProperties"], false);
  EXPECT_EQ(schema["properties"]["train"]["properties"]["batch_size"]["minimum"], 1);
  EXPECT_EQ(schema["properties"]["early_bird"]["properties"]["watch"]["items"]["exclusiveMaximum"], 1);
}

TEST(ConfigCommand, reference_is_up_to_date) {
  std::ifstream in(eb::test::source_dir().string() + "/docs/config.md");
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), config({"docs"}).out) << "run: build/eb_engine config docs > docs/config.md";
}
