// Compressed bytes to pixels. JPEG by libjpeg-turbo, PNG by libpng, told apart by their first bytes. Pixels
// that a decoder had to make up are an error: half a picture is not a picture. Oddities that leave all pixels
// as they were written are a warning of the Image. EXIF orientation, colour profiles and gamma are ignored,
// as PIL does; grey, palette, 16-bit, alpha (dropped), CMYK and YCCK become 8-bit RGB.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "data/image.h"

namespace eb::data {

struct DecodeOptions {
  int short_side = 0;  // JPEG: at 1/2, 1/4 or 1/8 while the short side stays >= this (0: never)
  int64_t max_pixels = int64_t{64} << 20;  // read from the header, before anything is allocated
};

// `name` is for messages. Errors: 3011 neither JPEG nor PNG, 3012 damaged JPEG, 3013 damaged PNG, 3014 too
// large.
Image decode(std::span<const uint8_t> bytes, const std::string& name, const DecodeOptions& options = {});

Image decode_jpeg(std::span<const uint8_t> bytes, const std::string& name, const DecodeOptions& options);
Image decode_png(std::span<const uint8_t> bytes, const std::string& name, const DecodeOptions& options);

void check_size(int64_t width, int64_t height, const DecodeOptions& options,
                const std::string& name);  // Error 3014

}  // namespace eb::data
