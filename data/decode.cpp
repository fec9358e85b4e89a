#include "data/decode.h"

#include <turbojpeg.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"

namespace eb::data {
namespace {

using Jpeg = std::unique_ptr<void, int (*)(tjhandle)>;

// One per thread, made anew after an error: a decoder remembers warnings and would refuse the next good file.
Jpeg& jpeg_decoder() {
  thread_local Jpeg decoder{nullptr, tjDestroy};
  if (!decoder) decoder.reset(tjInitDecompress());
  return decoder;
}

Error damaged(const std::string& name, size_t bytes, Jpeg& jpeg) {
  const std::string reason = tjGetErrorStr2(jpeg.get());
  jpeg.reset();
  return Error(errors::damaged_jpeg,
               name + ": damaged JPEG of " + std::to_string(bytes) + " bytes: " + reason,
               "replace or remove it, or set data.on_bad_sample to \"skip\"");
}

int shrink_of(int width, int height, int short_side) {
  int shrink = 1;
  while (short_side > 0 && shrink < 8 && std::min(width, height) / (2 * shrink) >= short_side) shrink *= 2;
  return shrink;
}

// CMYK files from Adobe store 255 - ink, and there are hardly any others; PIL assumes the same.
void cmyk_to_rgb(const std::vector<uint8_t>& cmyk, Image& out) {
  const auto multiply = [](int a, int b) {
    const int t = a * b + 128;
    return ((t >> 8) + t) >> 8;
  };
  for (size_t i = 0; i < cmyk.size() / 4; ++i) {
    const uint8_t* p = &cmyk[4 * i];
    for (int c = 0; c < 3; ++c)
      out.rgb[3 * i + c] = static_cast<uint8_t>(std::max(0, p[3] - multiply(255 - p[c], p[3])));
  }
}

}  // namespace

void check_size(int64_t width, int64_t height, const DecodeOptions& options, const std::string& name) {
  const int64_t most = options.max_pixels;
  if (width <= most && height <= most && width * height <= most) return;
  throw Error(errors::image_too_large,
              name + ": " + std::to_string(width) + " x " + std::to_string(height) +
                  " pixels, want at most " + std::to_string(most) + " in all",
              "scale it down or remove it");
}

Image decode_jpeg(std::span<const uint8_t> bytes, const std::string& name, const DecodeOptions& options) {
  Jpeg& jpeg = jpeg_decoder();
  int width = 0, height = 0, subsampling = 0, space = 0;
  if (tjDecompressHeader3(jpeg.get(), bytes.data(), bytes.size(), &width, &height, &subsampling, &space) != 0)
    throw damaged(name, bytes.size(), jpeg);
  check_size(width, height, options, name);
  const tjscalingfactor factor{1, shrink_of(width, height, options.short_side)};
  Image out(TJSCALED(width, factor), TJSCALED(height, factor));
  const bool cmyk = space == TJCS_CMYK || space == TJCS_YCCK;
  std::vector<uint8_t> inks(cmyk ? size_t{4} * out.width * out.height : 0);
  const int flags = TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT;
  if (tjDecompress2(jpeg.get(), bytes.data(), bytes.size(), cmyk ? inks.data() : out.rgb.data(), out.width, 0,
                    out.height, cmyk ? TJPF_CMYK : TJPF_RGB, flags) != 0)
    throw damaged(name, bytes.size(), jpeg);
  if (cmyk) cmyk_to_rgb(inks, out);
  return out;
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
