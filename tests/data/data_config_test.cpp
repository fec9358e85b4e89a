// The data section becomes plain members.
#include "data/data_config.h"

#include <gtest/gtest.h>

#include "data/fields.h"
#include "support/error_code.h"

using eb::data::Augment;
using eb::data::DataConfig;
using nlohmann::json;

static DataConfig read(const json& data) {
  return eb::data::data_config(eb::engine::config_from_json(eb::data::data_fields(), {{"data", data}}, "t"));
}

TEST(DataConfig, reads_every_key) {
  const DataConfig d =
      read({{"kind", "image_folder"},
            {"root", "some/where"},
            {"holdout", 17},
            {"augment", {"random_resized_crop", "hflip"}},
            {"image_size", 96},
            {"normalize", {{"mean", {0.1, 0.2, 0.3}}, {"std", {0.4, 0.5, 0.6}}}},
            {"on_bad_sample", "skip"},
            {"max_bad", 3},
            {"workers", 2},
            {"cache_mib", 99},
            {"synthetic", {{"train", 50}, {"test", 20}, {"size", 16}, {"classes", 4}, {"noise", 0.25}}}});
  EXPECT_EQ(d.kind, DataConfig::Kind::image_folder);
  EXPECT_EQ(d.root, "some/where");
  EXPECT_EQ(d.holdout, 17);
  EXPECT_TRUE(d.augments(Augment::hflip));
  EXPECT_FALSE(d.augments(Augment::pad4_crop32));
  EXPECT_EQ(d.image_size, 96);
  EXPECT_FLOAT_EQ(d.mean[2], 0.3f);
  EXPECT_FLOAT_EQ(d.std[1], 0.5f);
  EXPECT_TRUE(d.skip_bad_samples);
  EXPECT_EQ(d.max_bad, 3);
  EXPECT_EQ(d.workers, 2);
  EXPECT_EQ(d.cache_mib, 99);
  EXPECT_EQ(d.synthetic.train, 50);
  EXPECT_EQ(d.synthetic.test, 20);
  EXPECT_EQ(d.synthetic.size, 16);
  EXPECT_EQ(d.synthetic.classes, 4);
  EXPECT_DOUBLE_EQ(d.synthetic.noise, 0.25);
}

TEST(DataConfig, defaults_and_short_forms) {
  const DataConfig d = read({{"kind", "synthetic"}, {"normalize", {{"mean", {0.5}}, {"std", {0.25}}}}});
  EXPECT_FALSE(d.workers.has_value());
  EXPECT_FALSE(d.skip_bad_samples);
  EXPECT_FLOAT_EQ(d.mean[1], 0.5f);
  EXPECT_FLOAT_EQ(d.std[2], 0.25f);
  EXPECT_EQ(eb::test::code_of([] {
              read({{"kind", "synthetic"}, {"normalize", {{"mean", {0.5, 0.5}}, {"std", {1, 1}}}}});
            }),
            2010);
}
