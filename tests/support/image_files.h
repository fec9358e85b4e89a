// Image files made on the spot, so that no picture is stored in the repository.
#pragma once
#include <png.h>
#include <turbojpeg.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "data/image.h"

namespace eb::test {

// The picture of the Python snippet in resize_test.cpp.
inline data::Image picture(int w, int h) {
  data::Image image(w, h);
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x)
      for (int c = 0; c < 3; ++c)
        image.rgb[(y * w + x) * 3 + c] =
            static_cast<uint8_t>(x * 37 + y * 91 + c * 53 + x * y * 11 + (x ^ y) * c * 7);
  return image;
}

// Smooth enough to survive JPEG.
inline data::Image gradient(int w, int h, int shade = 0) {
  data::Image image(w, h);
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x) {
      uint8_t* p = &image.rgb[(y * w + x) * 3];
      p[0] = static_cast<uint8_t>(40 + 150 * x / w);
      p[1] = static_cast<uint8_t>(60 + 120 * y / h);
      p[2] = static_cast<uint8_t>(shade);
    }
  return image;
}

struct JpegOptions {
  int format = TJPF_RGB, subsampling = TJSAMP_444, quality = 95;
};

// `pixels` in options.format.
inline std::vector<uint8_t> to_jpeg(const std::vector<uint8_t>& pixels, int w, int h,
                                    JpegOptions options = {}) {
  tjhandle jpeg = tjInitCompress();
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  const int rc = tjCompress2(jpeg, pixels.data(), w, 0, h, options.format, &bytes, &size, options.subsampling,
                             options.quality, 0);
  tjDestroy(jpeg);
  if (rc != 0) std::abort();
  std::vector<uint8_t> result(bytes, bytes + size);
  tjFree(bytes);
  return result;
}
inline std::vector<uint8_t> to_jpeg(const data::Image& image, JpegOptions options = {}) {
  return to_jpeg(image.rgb, image.width, image.height, options);
}

struct PngOptions {
  int color = PNG_COLOR_TYPE_RGB, depth = 8, interlace = PNG_INTERLACE_NONE;
  std::vector<png_color> palette = {};
};

// `rows` holds the samples as the file stores them: big-endian, packed below 8 bits.
inline std::vector<uint8_t> to_png(std::vector<uint8_t> rows, int w, int h, const PngOptions& options = {}) {
  std::vector<uint8_t> file;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  const auto write = [](png_structp p, png_bytep bytes, size_t n) {
    auto* out = static_cast<std::vector<uint8_t>*>(png_get_io_ptr(p));
    out->insert(out->end(), bytes, bytes + n);
  };
  png_set_write_fn(png, &file, write, nullptr);
  png_set_IHDR(png, info, w, h, options.depth, options.color, options.interlace, PNG_COMPRESSION_TYPE_BASE,
               PNG_FILTER_TYPE_BASE);
  if (!options.palette.empty())
    png_set_PLTE(png, info, options.palette.data(), static_cast<int>(options.palette.size()));
  std::vector<png_bytep> pointers(h);
  for (int y = 0; y < h; ++y) pointers[y] = rows.data() + rows.size() / h * y;
  png_set_rows(png, info, pointers.data());
  png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  png_destroy_write_struct(&png, &info);
  return file;
}
inline std::vector<uint8_t> to_png(const data::Image& image) {
  return to_png(image.rgb, image.width, image.height);
}

inline void write_bytes(const std::filesystem::path& path, const std::vector<uint8_t>& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace eb::test
