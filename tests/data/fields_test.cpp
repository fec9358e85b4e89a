// The data's own keys: defaults and the rules between them.
#include "data/fields.h"

#include <gtest/gtest.h>

#include "engine/base/error.h"

using nlohmann::json;

static int code_of(const json& data) {
  try {
    eb::engine::config_from_json(eb::data::data_fields(), {{"data", data}}, "t");
  } catch (const eb::Error& e) {
    return e.code();
  }
  return 0;
}

TEST(DataFields, rules) {
  const json folder = {{"kind", "image_folder"}, {"root", "x"}};
  const auto with = [&](const json& more) {
    json all = folder;
    all.update(more);
    return code_of(all);
  };
  EXPECT_EQ(code_of(folder), 0);
  EXPECT_EQ(code_of(json::object()), 2006);
  EXPECT_EQ(code_of({{"kind", "cifar10_bin"}}), 2006);
  EXPECT_EQ(code_of({{"kind", "cifar10_bin"}, {"root", ""}}), 2006);
  EXPECT_EQ(code_of({{"kind", "packed"}, {"root", "x"}}), 2011);
  EXPECT_EQ(code_of({{"kind", "synthetic"}}), 0);
  EXPECT_EQ(code_of({{"kind", "synthetic"}, {"holdout", 10'000}}), 2010);
  EXPECT_EQ(with({{"augment", {"hflip", "hflip"}}}), 2010);
  EXPECT_EQ(with({{"augment", {"pad4_crop32", "random_resized_crop"}}}), 2010);
  EXPECT_EQ(with({{"augment", {"hflp"}}}), 2005);
  EXPECT_EQ(with({{"normalize", {{"mean", {0.5}}}}}), 2010);
  EXPECT_EQ(with({{"normalize", {{"mean", {0.5}}, {"std", {0.0}}}}}), 2005);
  EXPECT_EQ(with({{"workers", "auto"}}), 0);
  EXPECT_EQ(with({{"workers", "many"}}), 2004);
  EXPECT_EQ(with({{"workers", -1}}), 2005);
}

TEST(DataFields, auto_workers_are_null) {
  const auto c = eb::engine::config_from_json(eb::data::data_fields(),
                                              {{"data", {{"kind", "synthetic"}, {"workers", "auto"}}}}, "t");
  EXPECT_TRUE(c.is_null("data.workers"));
}
