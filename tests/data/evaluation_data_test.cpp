// What evaluation is given: every picture that can be read, once, with the pixels of torchvision.
#include <gtest/gtest.h>
#include <zlib.h>

#include "data/resize.h"
#include "support/error_code.h"
#include "support/loaders.h"

using namespace eb;
using namespace eb::test;
using data::Augment;
using data::DataConfig;
using data::Loaders;
using engine::Batch;

// An accuracy is of the set as it is: nothing counts twice.
TEST(EvaluationData, bad_samples_are_left_out_of_evaluation) {
  TempDir dir;
  write_image_folder(dir.path(), 2);
  spoil(dir, "test/a/100.jpg");
  spoil(dir, "test/c/101.jpg");
  DataConfig c = folder_config(dir);
  c.skip_bad_samples = true;
  for (const int64_t cache_mib : {0, 64})
    for (const int workers : {0, 3}) {
      c.cache_mib = cache_mib;
      c.workers = workers;
      Loaders l = open(c);
      EXPECT_EQ(l.test->samples(), 4);
      const Epoch e = read(*l.test, 0);
      EXPECT_EQ(e.ids, (std::vector<int64_t>{1, 2, 3, 4}));
      EXPECT_EQ(e.labels, (std::vector<int32_t>{0, 1, 1, 2}));
      EXPECT_EQ(l.test->bad_samples(), (std::vector<std::string>{(dir / "test/a/100.jpg").string(),
                                                                 (dir / "test/c/101.jpg").string()}));
    }
  c.max_bad = 1;
  EXPECT_EQ(code_of([&] { open(c); }), 3032);
  c.max_bad = 10;
  for (const char* name : {"a/101", "b/100", "b/101", "c/100"})
    spoil(dir, std::string("test/") + name + ".jpg");
  EXPECT_EQ(code_of([&] { open(c); }), 3012) << "nothing is left";
}

TEST(EvaluationData, a_picture_too_large_is_a_bad_sample_like_any_other) {
  TempDir dir;
  write_image_folder(dir.path(), 2);
  auto huge = to_png(picture(8, 8));
  huge[16] = huge[20] = 0x40;  // width and height above 2^30
  const uint32_t crc = static_cast<uint32_t>(crc32(0, &huge[12], 17));
  for (int i = 0; i < 4; ++i) huge[29 + i] = static_cast<uint8_t>(crc >> (24 - 8 * i));
  write_bytes(dir / "train/b/100.jpg", huge);
  write_bytes(dir / "test/b/100.jpg", huge);
  DataConfig c = folder_config(dir);
  c.augment = {Augment::random_resized_crop};
  c.image_size = 28;
  const auto size_28 = [&] { return open(c, 4, 3, 28); };
  const Error e = error_of([&] { size_28(); });
  EXPECT_EQ(e.code(), 3014);
  EXPECT_NE(e.message().find("train/b/100.jpg"), std::string::npos);
  c.skip_bad_samples = true;
  Loaders l = size_28();
  EXPECT_EQ(read(*l.train, 0).ids.size(), 6u);
  EXPECT_EQ(l.train->bad_samples(), std::vector<std::string>{(dir / "train/b/100.jpg").string()});
  EXPECT_EQ(l.test->samples(), 5);
}

// As torchvision, to the last bit: a large photograph is not decoded at a fraction of its size.
TEST(EvaluationData, evaluation_decodes_in_full) {
  TempDir dir;
  write_image_folder(dir.path(), 1, 400, 300);
  DataConfig c = folder_config(dir);
  c.augment = {Augment::random_resized_crop};
  c.image_size = 16;
  Loaders l = open(c, 4, 3, 16);
  Batch b;
  l.test->start(0, 0);
  ASSERT_TRUE(l.test->next(b));
  const auto whole = data::open_image_folder(dir.path(), data::Split::test)->image(0);
  const data::Image want = data::resize_and_center_crop(whole, 18, 16);
  for (size_t i = 0; i < want.rgb.size(); ++i) ASSERT_EQ(b.images.data<float>()[i], want.rgb[i] / 255.f);
}
