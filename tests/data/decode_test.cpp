// Decoders: pixel formats, limits, and damage of every kind. Run under ASan these are also the leak and
// overrun tests.
#include "data/decode.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>

#include "support/error_code.h"
#include "support/image_files.h"

using namespace eb;
using namespace eb::test;
using data::decode;
using data::Image;

static int largest_difference(const Image& a, const Image& b) {
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.height, b.height);
  int most = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) most = std::max(most, std::abs(a.rgb[i] - b.rgb[i]));
  return most;
}

TEST(Decode, png_is_exact) {
  for (const auto& [w, h] : {std::pair{1, 1}, {31, 17}, {64, 3}}) {
    const Image image = picture(w, h);
    EXPECT_EQ(decode(to_png(image), "x.png").rgb, image.rgb);
  }
}

TEST(Decode, jpeg_is_close_and_keeps_channel_order) {
  const Image image = gradient(37, 29, 200);
  EXPECT_LE(largest_difference(decode(to_jpeg(image), "x.jpg"), image), 4);
  JpegOptions half;
  half.sampling = {{2, 2}, {1, 1}, {1, 1}};
  EXPECT_LE(largest_difference(decode(to_jpeg(image, half), "x.jpg"), image), 8);
}

TEST(Decode, kind_is_told_by_content_not_by_name) {
  const Image image = picture(8, 8);
  EXPECT_EQ(decode(to_png(image), "n02105855_2933.JPEG").rgb, image.rgb);
}

TEST(Decode, grey_jpeg_becomes_rgb) {
  std::vector<uint8_t> grey(24 * 16);
  for (size_t i = 0; i < grey.size(); ++i) grey[i] = static_cast<uint8_t>(i % 24 * 10);
  JpegOptions o;
  o.space = JCS_GRAYSCALE;
  const Image out = decode(to_jpeg(grey, 24, 16, o), "grey.jpg");
  for (size_t i = 0; i < grey.size(); ++i)
    for (int c = 0; c < 3; ++c) ASSERT_NEAR(out.rgb[3 * i + c], grey[i], 4);
}

// Stored as Adobe does, 255 - ink: red = cyan * black / 255.
TEST(Decode, cmyk_and_ycck_jpeg_become_rgb) {
  std::vector<uint8_t> inks;
  for (int i = 0; i < 16 * 16; ++i) inks.insert(inks.end(), {200, 100, 50, 128});
  JpegOptions o;
  o.space = JCS_CMYK;
  o.quality = 100;
  using Sampling = std::vector<std::pair<int, int>>;
  for (const auto& sampling : {Sampling{}, Sampling{{2, 2}, {1, 1}, {1, 1}, {2, 2}}}) {
    o.sampling = sampling;
    const Image out = decode(to_jpeg(inks, 16, 16, o), "ink.jpg");
    EXPECT_NEAR(out.rgb[0], 200 * 128 / 255, 2);
    EXPECT_NEAR(out.rgb[1], 100 * 128 / 255, 2);
    EXPECT_NEAR(out.rgb[2], 50 * 128 / 255, 2);
  }
}

// The library warns, PIL reads: nothing of the pixels is missing.
TEST(Decode, odd_jpeg_with_all_pixels_is_read_with_a_warning) {
  const Image image = picture(40, 24);
  const auto good = to_jpeg(image);
  const Image want = decode(good, "x.jpg");
  EXPECT_EQ(want.warning, "");
  const std::vector<uint8_t> marker_of_tables = {0xff, 0xdb};
  const auto tables = std::search(good.begin(), good.end(), marker_of_tables.begin(), marker_of_tables.end());
  auto before_end = good, between = good;
  before_end.insert(before_end.end() - 2, 60, uint8_t{0x11});
  between.insert(between.begin() + (tables - good.begin()), 3, uint8_t{0});
  for (const auto& odd : {before_end, between}) {
    const Image read = decode(odd, "x.jpg");
    EXPECT_EQ(read.rgb, want.rgb);
    EXPECT_NE(read.warning.find("extraneous bytes before marker"), std::string::npos) << read.warning;
  }
  for (const int major : {0, 2}) {
    auto version = good;
    version[11] = static_cast<uint8_t>(major);
    EXPECT_EQ(decode(version, "x.jpg").rgb, want.rgb);
    EXPECT_NE(decode(version, "x.jpg").warning.find("JFIF"), std::string::npos);
  }
}

// Data are missing: libjpeg warns and makes up the rest.
TEST(Decode, jpeg_whose_pixels_are_made_up_is_damaged) {
  auto hole = to_jpeg(picture(64, 48));
  hole.erase(hole.begin() + hole.size() / 2, hole.end() - 2);
  EXPECT_EQ(code_of([&] { decode(hole, "x.jpg"); }), 3012);
  auto no_end = to_jpeg(picture(64, 48));
  no_end.resize(no_end.size() - 2);  // as PIL: who did not write the end may have lost more
  EXPECT_EQ(code_of([&] { decode(no_end, "x.jpg"); }), 3012);
}

TEST(Decode, every_sampling_of_the_colours) {
  using Sampling = std::vector<std::pair<int, int>>;
  const Image image = gradient(61, 47, 200);
  for (const Sampling& sampling : {Sampling{{4, 2}, {1, 1}, {1, 1}},
                                   {{1, 4}, {1, 1}, {1, 1}},
                                   {{2, 4}, {1, 1}, {1, 1}},
                                   {{3, 1}, {1, 1}, {1, 1}},
                                   {{2, 2}, {2, 1}, {1, 2}},
                                   {{2, 2}, {2, 2}, {1, 1}},
                                   {{1, 1}, {2, 1}, {1, 1}},
                                   {{2, 1}, {2, 1}, {2, 1}}})
    for (const bool progressive : {false, true}) {
      JpegOptions o;
      o.sampling = sampling;
      o.progressive = progressive;
      const Image read = decode(to_jpeg(image, o), "x.jpg");
      EXPECT_LE(largest_difference(read, image), 12) << sampling[0].first << sampling[0].second;
      EXPECT_EQ(read.warning, "");
    }
}

// Seconds of work for each kilobyte: the same scan again and again.
TEST(Decode, jpeg_with_too_many_scans_is_refused) {
  JpegOptions o;
  o.progressive = true;
  auto bytes = to_jpeg(picture(16, 16), o);
  const std::vector<uint8_t> scan_marker = {0xff, 0xda};
  const auto last = std::find_end(bytes.begin(), bytes.end(), scan_marker.begin(), scan_marker.end());
  const std::vector<uint8_t> scan(last, bytes.end() - 2);
  for (int i = 0; i < 600; ++i) bytes.insert(bytes.end() - 2, scan.begin(), scan.end());
  EXPECT_EQ(code_of([&] { decode(bytes, "x.jpg"); }), 3012);
}

TEST(Decode, png_of_every_kind_becomes_rgb) {
  const std::vector<uint8_t> red = {255, 0, 0}, grey = {85, 85, 85};
  PngOptions o;
  o.color = PNG_COLOR_TYPE_RGB;
  o.depth = 16;
  EXPECT_EQ(decode(to_png({0xff, 0xff, 0, 0, 0, 0}, 1, 1, o), "rgb16").rgb, red);
  o.color = PNG_COLOR_TYPE_GRAY;
  EXPECT_EQ(decode(to_png({0x55, 0x55}, 1, 1, o), "grey16").rgb, grey);
  o.depth = 2;
  EXPECT_EQ(decode(to_png({0x40}, 1, 1, o), "grey2").rgb, grey);
  o.depth = 8;
  o.color = PNG_COLOR_TYPE_GRAY_ALPHA;
  EXPECT_EQ(decode(to_png({85, 0}, 1, 1, o), "grey alpha").rgb, grey);
  o.color = PNG_COLOR_TYPE_RGB_ALPHA;
  EXPECT_EQ(decode(to_png({255, 0, 0, 7}, 1, 1, o), "rgba: alpha is dropped").rgb, red);
  o.color = PNG_COLOR_TYPE_PALETTE;
  o.palette = {{1, 2, 3}, {255, 0, 0}};
  EXPECT_EQ(decode(to_png({1}, 1, 1, o), "palette").rgb, red);
}

TEST(Decode, interlaced_png) {
  const Image image = picture(21, 13);
  PngOptions o;
  o.interlace = PNG_INTERLACE_ADAM7;
  EXPECT_EQ(decode(to_png(image.rgb, 21, 13, o), "x.png").rgb, image.rgb);
}

TEST(Decode, large_jpeg_may_come_smaller) {
  const auto bytes = to_jpeg(gradient(640, 480, 90));
  const auto size = [&](int short_side) { return decode(bytes, "x.jpg", {.short_side = short_side}).height; };
  EXPECT_EQ(size(0), 480);
  EXPECT_EQ(size(241), 480);
  EXPECT_EQ(size(240), 240);
  EXPECT_EQ(size(120), 120);
  EXPECT_EQ(size(10), 60);
  EXPECT_LE(largest_difference(decode(bytes, "x.jpg", {.short_side = 240}), gradient(320, 240, 90)), 6);
}

TEST(Decode, unknown_content) {
  EXPECT_EQ(code_of([] { decode({}, "empty.jpg"); }), 3011);
  const std::vector<uint8_t> text = {'G', 'I', 'F', '8', '9', 'a'};
  const Error e = error_of([&] { decode(text, "a/b.jpg"); });
  EXPECT_EQ(e.code(), 3011);
  EXPECT_NE(e.message().find("a/b.jpg"), std::string::npos);
}

TEST(Decode, truncation_at_every_percent_is_an_error) {
  const auto jpeg = to_jpeg(picture(64, 48)), png = to_png(picture(64, 48));
  for (int percent = 0; percent < 100; ++percent) {
    const auto part = [&](const std::vector<uint8_t>& all) {
      return std::vector<uint8_t>(all.begin(), all.begin() + all.size() * percent / 100);
    };
    const int jpeg_code = code_of([&] { decode(part(jpeg), "x.jpg"); });
    const int png_code = code_of([&] { decode(part(png), "x.png"); });
    EXPECT_EQ(jpeg_code, percent == 0 ? 3011 : 3012) << percent;
    EXPECT_EQ(png_code, percent == 0 ? 3011 : 3013) << percent;
  }
}

TEST(Decode, png_error_names_the_byte) {
  auto png = to_png(picture(16, 16));
  png.resize(60);
  const std::string message = error_of([&] { decode(png, "x.png"); }).message();
  EXPECT_NE(message.find("x.png: damaged PNG at byte"), std::string::npos) << message;
}

// Any byte of a PNG is guarded by a checksum or a length, so damage never goes unnoticed; behind the pixels
// it takes nothing away.
TEST(Decode, flipped_png_bytes_are_errors_or_warnings) {
  const Image image = picture(24, 20);
  const auto good = to_png(image);
  constexpr size_t end_chunk = 12;
  for (size_t i = 0; i < good.size(); ++i) {
    auto bad = good;
    bad[i] ^= 0x10;
    if (i < good.size() - end_chunk) {
      EXPECT_GE(code_of([&] { decode(bad, "x.png"); }), 3011) << "byte " << i;
      continue;
    }
    const Image read = decode(bad, "x.png");
    EXPECT_EQ(read.rgb, image.rgb) << "byte " << i;
    EXPECT_NE(read.warning, "") << "byte " << i;
  }
}

TEST(Decode, png_with_all_pixels_is_read_with_a_warning) {
  const Image image = picture(24, 20);
  const auto good = to_png(image);
  EXPECT_EQ(decode(good, "x.png").warning, "");
  std::vector<uint8_t> comment = {0,   0,   0,   9,   't', 'E', 'X', 't', 'C', 'o', 'm',
                                  'm', 'e', 'n', 't', 0,   '!', 1,   2,   3,   4};
  for (const size_t at :
       {size_t{33}, good.size() - 12}) {  // before and behind the pixels, with a wrong checksum
    auto odd = good;
    odd.insert(odd.begin() + at, comment.begin(), comment.end());
    EXPECT_EQ(decode(odd, "x.png").rgb, image.rgb);
    EXPECT_NE(decode(odd, "x.png").warning.find("CRC"), std::string::npos) << decode(odd, "x.png").warning;
  }
  for (size_t missing = 1; missing <= 12; ++missing) {
    const std::vector<uint8_t> cut(good.begin(), good.end() - missing);
    EXPECT_EQ(decode(cut, "x.png").rgb, image.rgb) << missing;
    EXPECT_NE(decode(cut, "x.png").warning, "") << missing;
  }
  const std::vector<uint8_t> without_checksum(good.begin(), good.end() - 13);
  EXPECT_EQ(code_of([&] { decode(without_checksum, "x.png"); }), 3013);
}

// JPEG has no checksums: a flip may pass. It must end in an image of sane size or in an error.
TEST(Decode, flipped_jpeg_bytes_never_crash) {
  const auto good = to_jpeg(picture(40, 24));
  int errors = 0;
  for (size_t i = 3; i < good.size(); ++i)
    for (const uint8_t mask : {0x01, 0x80, 0xff}) {
      auto bad = good;
      bad[i] ^= mask;
      const int code = code_of([&] { EXPECT_GT(decode(bad, "x.jpg").bytes(), 0u); });
      EXPECT_TRUE(code == 0 || code == 3012 || code == 3014) << code;
      errors += code != 0;
    }
  EXPECT_GT(errors, 100);
  EXPECT_EQ(code_of([&] { decode(good, "x.jpg"); }), 0) << "the decoder must recover after errors";
}

TEST(Decode, absurd_size_is_refused_before_allocation) {
  auto jpeg = to_jpeg(picture(16, 16));
  for (size_t i = 0; i + 9 < jpeg.size(); ++i)
    if (jpeg[i] == 0xff && jpeg[i + 1] == 0xc0) std::fill_n(jpeg.begin() + i + 5, 4, 0xfe);  // height, width
  EXPECT_EQ(code_of([&] { decode(jpeg, "x.jpg"); }), 3014);
  EXPECT_EQ(code_of([] { data::check_size(int64_t{1} << 40, int64_t{1} << 40, {}, "x"); }), 3014);
  EXPECT_EQ(code_of([] { data::check_size(8192, 8192, {}, "x"); }), 0);
  EXPECT_EQ(code_of([] { data::check_size(8193, 8192, {}, "x"); }), 3014);
}

// A PNG's chunk with its checksum.
static std::vector<uint8_t> chunk(const std::string& name, const std::vector<uint8_t>& content) {
  std::vector<uint8_t> out;
  const auto number = [&](uint32_t v) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(v >> shift));
  };
  number(static_cast<uint32_t>(content.size()));
  out.insert(out.end(), name.begin(), name.end());
  out.insert(out.end(), content.begin(), content.end());
  number(static_cast<uint32_t>(crc32(0, out.data() + 4, static_cast<uInt>(out.size() - 4))));
  return out;
}

static std::vector<uint8_t> with_chunk(std::vector<uint8_t> png, size_t at,
                                       const std::vector<uint8_t>& more) {
  png.insert(png.begin() + static_cast<std::ptrdiff_t>(at), more.begin(), more.end());
  return png;
}

// libpng refuses it; nothing is missing. The palette is the last one before the pixels, as in PIL.
TEST(Decode, a_second_palette_is_a_warning) {
  constexpr size_t behind_header = 33;
  PngOptions o;
  o.color = PNG_COLOR_TYPE_PALETTE;
  o.palette = {{1, 2, 3}, {40, 50, 60}};
  const std::vector<uint8_t> good = to_png({0, 1, 1, 0}, 2, 2, o), other = chunk("PLTE", {9, 9, 9, 8, 8, 8});
  const std::vector<uint8_t> rgb = {1, 2, 3, 40, 50, 60, 40, 50, 60, 1, 2, 3};
  ASSERT_EQ(decode(good, "x.png").rgb, rgb);
  const auto check = [&](size_t at, const std::vector<uint8_t>& expected) {
    const Image read = decode(with_chunk(good, at, other), "x.png");
    EXPECT_EQ(read.rgb, expected) << at;
    EXPECT_EQ(read.warning, "PLTE: duplicate") << at;
  };
  const size_t palette_end = behind_header + 12 + 6;
  check(behind_header, rgb);
  check(palette_end, {9, 9, 9, 8, 8, 8, 8, 8, 8, 9, 9, 9});
  check(good.size() - 12, rgb);       // behind the pixels
  const Image image = picture(8, 4);  // true colours: a palette is advice
  const auto twice = with_chunk(with_chunk(to_png(image), behind_header, other), behind_header, other);
  EXPECT_EQ(decode(twice, "x.png").rgb, image.rgb);
  EXPECT_EQ(decode(twice, "x.png").warning, "PLTE: duplicate");
  auto cut = with_chunk(good, palette_end, other);
  cut.resize(cut.size() - 20);
  EXPECT_EQ(code_of([&] { decode(cut, "x.png"); }), 3013);
}

TEST(Decode, a_png_for_iphones_is_refused_by_name) {
  const auto apple = with_chunk(to_png(picture(4, 4)), 8, chunk("CgBI", {0x50, 0, 0x20, 2}));
  const Error e = error_of([&] { decode(apple, "icon.png"); });
  EXPECT_EQ(e.code(), 3011);
  EXPECT_TRUE(e.message().starts_with("icon.png: a PNG as Xcode optimises it for iPhones")) << e.message();
  EXPECT_NE(e.hint().find("pngcrush -revert-iphone-optimizations"), std::string::npos) << e.hint();
}
