// The search's own keys: defaults, the preset and the rules between them.
#include "pruning/fields.h"

#include <gtest/gtest.h>

#include "engine/base/error.h"

using eb::engine::Config;
using nlohmann::json;

static Config load(const json& early_bird) {
  return eb::engine::config_from_json(eb::pruning::early_bird_fields(), {{"early_bird", early_bird}}, "t");
}
static int code_of(const json& early_bird) {
  try {
    load(early_bird);
  } catch (const eb::Error& e) {
    return e.code();
  }
  return 0;
}

TEST(EarlyBirdFields, faults) {
  EXPECT_EQ(code_of(json::object()), 0);
  for (const double ratio : {0.0, 1.0, -0.5, 1.5}) {
    EXPECT_EQ(code_of({{"draw", ratio}}), 2005) << ratio;
    EXPECT_EQ(code_of({{"watch", {0.3, ratio}}}), 2005) << ratio;
  }
  EXPECT_EQ(code_of({{"watch", {0.3, 0.5, 0.3}}}), 2010);
  EXPECT_EQ(code_of({{"every", "0ep"}}), 2005);
  EXPECT_EQ(code_of({{"window", 1}}), 2005);
  EXPECT_EQ(code_of({{"scope", "layer"}}), 2011);
  EXPECT_EQ(code_of({{"threshold", 1.01}}), 2005);
}

TEST(EarlyBirdFields, what_is_drawn_is_watched) {
  const Config c = load({{"watch", {0.7, 0.3}}, {"draw", 0.4}});
  EXPECT_EQ(c.at("early_bird.watch"), (json{0.3, 0.4, 0.7}));
  EXPECT_EQ(load({{"watch", {0.7, 0.3}}, {"draw", 0.3}}).at("early_bird.watch"), (json{0.7, 0.3}));
  EXPECT_EQ(load({{"watch", json::array()}, {"draw", 0.3}}).at("early_bird.watch"), (json{0.3}));
}

TEST(EarlyBirdFields, preset) {
  const Config c = load({{"preset", "you2020"}, {"round_to", 4}});
  EXPECT_EQ(c.get<int>("early_bird.min_channels"), 1);
  EXPECT_EQ(c.get<int>("early_bird.round_to"), 4);
  EXPECT_EQ(c.get<std::string>("early_bird.after.optimizer_state"), "reset");
  EXPECT_EQ(load(json::object()).get<std::string>("early_bird.after.optimizer_state"), "carry");
}
