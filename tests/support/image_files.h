// Image files made on the spot, so that no picture is stored in the repository.
#pragma once
#include <png.h>

#include <cstdint>
#include <cstdio>  // jpeglib.h needs it before
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <jpeglib.h>

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
  J_COLOR_SPACE space = JCS_RGB;  // of the pixels; CMYK is stored as YCCK
  int quality = 95;
  std::vector<std::pair<int, int>> sampling = {};  // across and down, of each component; none: all alike
  bool progressive = false;
};

// `pixels` in options.space.
inline std::vector<uint8_t> to_jpeg(const std::vector<uint8_t>& pixels, int w, int h,
                                    const JpegOptions& options = {}) {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);  // its error_exit ends the process
  jpeg_create_compress(&jpeg);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &bytes, &size);
  jpeg.image_width = static_cast<JDIMENSION>(w);
  jpeg.image_height = static_cast<JDIMENSION>(h);
  jpeg.input_components = options.space == JCS_GRAYSCALE ? 1 : options.space == JCS_CMYK ? 4 : 3;
  jpeg.in_color_space = options.space;
  jpeg_set_defaults(&jpeg);
  if (options.space == JCS_CMYK) jpeg_set_colorspace(&jpeg, JCS_YCCK);
  jpeg_set_quality(&jpeg, options.quality, TRUE);
  for (int c = 0; c < jpeg.num_components; ++c) {
    const auto factors = options.sampling.empty() ? std::pair{1, 1} : options.sampling[c];
    jpeg.comp_info[c].h_samp_factor = factors.first;
    jpeg.comp_info[c].v_samp_factor = factors.second;
  }
  if (options.progressive) jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  for (int y = 0; y < h; ++y) {
    auto* row = const_cast<uint8_t*>(&pixels[size_t(y) * w * jpeg.input_components]);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  std::vector<uint8_t> result(bytes, bytes + size);
  std::free(bytes);
  return result;
}
inline std::vector<uint8_t> to_jpeg(const data::Image& image, const JpegOptions& options = {}) {
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
