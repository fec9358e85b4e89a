// Statistics of small sets whose numbers are known.
#include "data/survey.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/data_sets.h"
#include "support/temp_dir.h"

using namespace eb;
using namespace eb::test;
using data::Split;

// Pixel bytes of training record r are r, r + 50, r + 100 for r in 0..9.
TEST(Survey, counts_means_and_deviations) {
  TempDir dir;
  write_cifar10(dir.path());
  const data::Survey s = data::survey(*data::open_cifar_bin(dir.path(), 10, Split::train));
  EXPECT_EQ(s.samples, 10);
  EXPECT_EQ(s.per_class, std::vector<int64_t>(10, 1));
  EXPECT_EQ(s.min_width, 32);
  EXPECT_EQ(s.max_height, 32);
  for (int c = 0; c < 3; ++c) {
    EXPECT_NEAR(s.mean[c], (4.5 + 50 * c) / 255, 1e-12);
    EXPECT_NEAR(s.std[c], std::sqrt(8.25) / 255, 1e-12);
  }
  EXPECT_TRUE(s.bad.empty());
  EXPECT_TRUE(s.duplicates.empty());
}

TEST(Survey, finds_damage_and_duplicates) {
  TempDir dir;
  write_image_folder(dir.path(), 4, 20, 10);
  write_bytes(dir / "train/a/100.jpg", {0xff, 0xd8, 0xff});
  const auto same = to_png(picture(9, 7));
  write_bytes(dir / "train/b/200.png", same);
  write_bytes(dir / "train/c/200.png", same);
  write_bytes(dir / "test/a/200.png", same);
  auto odd = to_jpeg(picture(11, 8));
  odd[11] = 9;  // a version of JFIF that there is not
  write_bytes(dir / "train/c/300.jpg", odd);
  const auto train = data::open_image_folder(dir.path(), Split::train);
  const auto test = data::open_image_folder(dir.path(), Split::test);
  const data::Survey s = data::survey(*train), t = data::survey(*test);
  ASSERT_EQ(s.bad.size(), 1u);
  EXPECT_EQ(s.bad[0].sample, (dir / "train/a/100.jpg").string());
  EXPECT_EQ(s.per_class, (std::vector<int64_t>{4, 5, 6}));
  ASSERT_EQ(s.odd.size(), 1u);
  EXPECT_EQ(s.odd[0].first, (dir / "train/c/300.jpg").string());
  EXPECT_NE(s.odd[0].second.find("JFIF"), std::string::npos);
  ASSERT_EQ(s.duplicates.size(), 1u);
  EXPECT_EQ(train->describe(s.duplicates[0].first), (dir / "train/b/200.png").string());
  EXPECT_EQ(train->describe(s.duplicates[0].second), (dir / "train/c/200.png").string());
  EXPECT_EQ(s.min_width, 9);
  EXPECT_EQ(s.max_width, 20);
  EXPECT_EQ(s.min_height, 7);
  EXPECT_EQ(data::shared_images(s, t).size(), 12u)
      << "every test image but a/100.jpg, which train has damaged";
}
