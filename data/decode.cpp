#include "data/decode.h"

#include <algorithm>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"

namespace eb::data {

void check_size(int64_t width, int64_t height, const DecodeOptions& options, const std::string& name) {
  const int64_t most = options.max_pixels;
  if (width <= most && height <= most && width * height <= most) return;
  throw Error(errors::image_too_large,
              name + ": " + std::to_string(width) + " x " + std::to_string(height) +
                  " pixels, want at most " + std::to_string(most) + " in all",
              "scale it down or remove it");
}

Image decode(std::span<const uint8_t> bytes, const std::string& name, const DecodeOptions& options) {
  static constexpr uint8_t jpeg[] = {0xff, 0xd8, 0xff};
  static constexpr uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  const auto starts_with = [&](std::span<const uint8_t> magic) {
    return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin());
  };
  if (starts_with(jpeg)) return decode_jpeg(bytes, name, options);
  if (starts_with(png)) return decode_png(bytes, name, options);
  throw Error(errors::image_format,
              name + ": " + (bytes.empty() ? "empty file" : "neither JPEG nor PNG by its first bytes"),
              "convert or remove it, or set data.on_bad_sample to \"skip\"");
}

}  // namespace eb::data
