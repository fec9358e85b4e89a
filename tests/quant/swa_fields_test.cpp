// The section swa: defaults, and what is refused.
#include "quant/swa/swa_fields.h"

#include <gtest/gtest.h>

#include "engine/train/fields.h"
#include "quant/swa/weight_average.h"
#include "support/error_code.h"

namespace eb::test {
namespace {

using engine::Config;
using nlohmann::json;

Config load(const json& swa, const std::string& duration = "160ep") {
  static const engine::Table table = engine::concatenate({&engine::engine_fields(), &quant::swa_fields()});
  const json tree = {
      {"model", {{"arch", "vgg"}, {"depth", 11}}}, {"train", {{"duration", duration}}}, {"swa", swa}};
  return engine::config_from_json(table, tree, "t");
}
int code(const json& swa, const std::string& duration = "160ep") {
  return code_of([&] { load(swa, duration); });
}

TEST(SwaFields, is_off_unless_asked_for) {
  const Config c = load(json::object());
  EXPECT_FALSE(quant::weight_average_config(c).enabled);
  EXPECT_TRUE(c.is_null("swa.start"));
  EXPECT_EQ(code({{"start", "200ep"}}), 0) << "what is off is not compared";
}

TEST(SwaFields, starts_at_three_quarters) {
  for (const auto& [total, start] :
       std::map<std::string, std::string>{{"160ep", "120ep"}, {"1ep", "0ep"}, {"10st", "7st"}}) {
    const Config c = load({{"enabled", true}}, total);
    EXPECT_EQ(c.get<std::string>("swa.start"), start);
    EXPECT_EQ(c.origin("swa.start"), "three quarters of train.duration");
  }
  const auto w =
      quant::weight_average_config(load({{"enabled", true}, {"start", "140ep"}, {"evaluate", "epoch"}}));
  EXPECT_EQ(to_string(w.start), "140ep");
  EXPECT_TRUE(w.every_epoch);
}

TEST(SwaFields, faults) {
  EXPECT_EQ(code({{"enabled", true}, {"start", "159ep"}}), 0);
  EXPECT_EQ(code({{"enabled", true}, {"start", "160ep"}}), 2010);
  EXPECT_EQ(code({{"enabled", true}, {"start", "161ep"}}), 2010);
  EXPECT_EQ(code({{"enabled", true}, {"start", "161st"}}), 0) << "only the data set knows";
  EXPECT_EQ(code({{"enabled", true}, {"start", "5"}}), 2008);
  EXPECT_EQ(code({{"enabled", true}, {"start", "-1ep"}}), 2008);
  EXPECT_EQ(code({{"enabled", 1}}), 2004);
  EXPECT_EQ(code({{"evaluate", "never"}}), 2005);
  EXPECT_EQ(code({{"begin", "1ep"}}), 2003);
}

}  // namespace
}  // namespace eb::test
