// Pixel parity with PIL. The expected values come from Pillow 13.0 by
//
//   from PIL import Image
//   def picture(w, h):
//       im = Image.new("RGB", (w, h))
//       im.putdata([tuple((x*37 + y*91 + c*53 + x*y*11 + (x^y)*c*7) % 256 for c in range(3))
//                   for y in range(h) for x in range(w)])
//       return im
//   def fnv(data):
//       h = 14695981039346656037
//       for b in data: h = (h ^ b) * 1099511628211 % 2**64
//       return h
//   picture(w, h).resize((W, H), Image.BILINEAR).tobytes()
#include "data/resize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/image_files.h"

using namespace eb;
using data::Box;
using data::Image;
using test::picture;

static uint64_t fnv(const std::vector<uint8_t>& bytes) {
  uint64_t h = 14695981039346656037ull;
  for (const uint8_t b : bytes) h = (h ^ b) * 1099511628211ull;
  return h;
}

static Image scaled(const Image& image, const Box& box, int w, int h) {
  Image out(w, h);
  data::resize(image, box, w, h, out.rgb.data());
  return out;
}

TEST(Resize, equals_pil_pixel_by_pixel) {
  const std::vector<uint8_t> want = {
      122, 119, 136, 125, 113, 129, 123, 124, 133, 131, 120, 115, 126, 132, 112, 133, 131, 123, 132, 135,
      135, 129, 134, 136, 127, 123, 119, 137, 132, 110, 134, 119, 117, 134, 118, 132, 125, 130, 118, 119,
      133, 138, 123, 116, 122, 130, 128, 139, 132, 122, 138, 123, 129, 128, 130, 133, 129, 133, 118, 121};
  EXPECT_EQ(scaled(picture(23, 17), {0, 0, 23, 17}, 5, 4).rgb, want);
}

TEST(Resize, equals_pil_up_and_down) {
  struct Case {
    int w, h, to_w, to_h;
    uint64_t hash;
  };
  const Case cases[] = {
      {23, 17, 5, 4, 0x970611bb50ad1018ull},      {23, 17, 64, 48, 0xa2487515940d2561ull},
      {23, 17, 23, 9, 0x839d6b26ea0be02full},     {23, 17, 7, 17, 0x903c9f9e674c493dull},
      {200, 150, 33, 224, 0x8c16151ed09063d7ull}, {1, 1, 3, 3, 0x9eb3c56e53e00bd4ull},
      {3, 5, 1, 1, 0x57252a194489eb11ull},        {500, 375, 341, 256, 0x4faf228125ff7c83ull}};
  for (const Case& c : cases)
    EXPECT_EQ(fnv(scaled(picture(c.w, c.h), {0, 0, c.w, c.h}, c.to_w, c.to_h).rgb), c.hash)
        << c.w << " x " << c.h << " to " << c.to_w << " x " << c.to_h;
}

// picture(23, 17).crop((4, 3, 15, 12)).resize((16, 16)): pixels outside the box have no influence.
TEST(Resize, crops_before_it_scales) {
  EXPECT_EQ(fnv(scaled(picture(23, 17), {4, 3, 11, 9}, 16, 16).rgb), 0x30a4ebb001b01366ull);
}

// The same with torchvision's sizes: int(size * long / short), offsets int(round((n - size) / 2.0)).
TEST(Resize, short_side_and_centre) {
  struct Case {
    int w, h, short_side, size;
    uint64_t hash;
  };
  const Case cases[] = {{100, 75, 64, 56, 0xd94bdabd796c7c01ull},
                        {61, 90, 32, 28, 0xff301e8e5111585aull},
                        {40, 40, 37, 28, 0xc112fcc3ed6226f1ull}};
  for (const Case& c : cases)
    EXPECT_EQ(fnv(data::resize_and_center_crop(picture(c.w, c.h), c.short_side, c.size).rgb), c.hash);
}

// The crop alone is what scaling everything and cropping then would be.
TEST(Resize, centre_of_thin_pictures) {
  for (const auto& [w, h] : {std::pair{3, 401}, {401, 3}, {1, 90}, {64, 64}, {28, 700}}) {
    const bool tall = h > w;
    const int full = 32 * std::max(w, h) / std::min(w, h), size = 28;
    const Image all = scaled(picture(w, h), {0, 0, w, h}, tall ? 32 : full, tall ? full : 32);
    const int left = (all.width - size) / 2, top = (all.height - size) / 2;
    const Image crop = data::resize_and_center_crop(picture(w, h), 32, size);
    if ((all.width - size) % 2 + (all.height - size) % 2 != 0) continue;  // rounding has a test of its own
    for (int y = 0; y < size; ++y)
      for (int k = 0; k < 3 * size; ++k)
        ASSERT_EQ(crop.rgb[y * 3 * size + k], all.rgb[((top + y) * all.width + left) * 3 + k])
            << w << "x" << h;
  }
}

// Scaled as a whole it would have 10^10 rows.
TEST(Resize, centre_of_a_picture_of_one_column) {
  for (const bool tall : {false, true}) {
    Image thin(tall ? 1 : 40'000'000, tall ? 40'000'000 : 1);
    std::fill(thin.rgb.begin() + 60'000'000, thin.rgb.end(), uint8_t{200});
    const Image crop = data::resize_and_center_crop(thin, 256, 224);
    EXPECT_NEAR(crop.rgb.front(), 200 * (0.5 - 111.5 / 256), 1);  // a linear ramp of 256 pixels
    EXPECT_NEAR(crop.rgb.back(), 200 * (0.5 + 111.5 / 256), 1);
    EXPECT_NEAR(crop.rgb[(tall ? 111 * 224 : 111) * 3], 100, 1);
  }
}

TEST(RandomResizedCrop, stays_inside_with_torchvisions_area_and_ratio) {
  double area = 0, log_ratio = 0, low = 1, high = 0;
  constexpr int n = 20000;
  for (int i = 0; i < n; ++i) {
    const Box b = data::random_resized_crop(400, 400, 7, 3, i);
    ASSERT_GE(b.left, 0);
    ASSERT_GE(b.top, 0);
    ASSERT_LE(b.left + b.width, 400);
    ASSERT_LE(b.top + b.height, 400);
    const double part = b.width * b.height / 160000.0, ratio = double(b.width) / b.height;
    ASSERT_GT(ratio, 0.73);
    ASSERT_LT(ratio, 1.36);
    area += part / n;
    log_ratio += std::log(ratio) / n;
    low = std::min(low, part);
    high = std::max(high, part);
  }
  EXPECT_NEAR(area, 0.479, 0.006);  // 400,000 runs of torchvision's algorithm on Python's random: 0.479
  EXPECT_NEAR(log_ratio, 0, 0.005);
  EXPECT_LT(low, 0.085);
  EXPECT_GT(high, 0.97);
}

TEST(RandomResizedCrop, depends_on_seed_epoch_and_sample) {
  const Box b = data::random_resized_crop(300, 200, 1, 2, 3);
  EXPECT_EQ(b, data::random_resized_crop(300, 200, 1, 2, 3));
  EXPECT_NE(b, data::random_resized_crop(300, 200, 2, 2, 3));
  EXPECT_NE(b, data::random_resized_crop(300, 200, 1, 3, 3));
  EXPECT_NE(b, data::random_resized_crop(300, 200, 1, 2, 4));
}

// No crop of ratio 3/4..4/3 with 8 % of the area fits into a strip: the centre at the nearest ratio.
TEST(RandomResizedCrop, falls_back_to_the_centre) {
  EXPECT_EQ(data::random_resized_crop(10, 1000, 1, 0, 0), (Box{0, 493, 10, 13}));
  EXPECT_EQ(data::random_resized_crop(1000, 10, 1, 0, 0), (Box{493, 0, 13, 10}));
}
