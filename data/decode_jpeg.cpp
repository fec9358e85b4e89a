// JPEG by the scanline interface of libjpeg-turbo, which decodes every sampling of the colours. It reports by
// longjmp, which must not pass over C++ objects: everything with a destructor lives in decode_jpeg, the
// functions that libjpeg may leave hold plain values only.
#include <cstdio>  // jpeglib.h needs it before

#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>

#include "data/decode.h"
#include "engine/base/error.h"
#include "engine/base/error_codes.h"

namespace eb::data {
namespace {

struct JpegReader {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf escape{};
  char message[JMSG_LENGTH_MAX] = "";  // of the error, or of the first warning
  bool warned = false;
  ~JpegReader() { jpeg_destroy_decompress(&jpeg); }
};

JpegReader& reader_of(j_common_ptr jpeg) {
  return *static_cast<JpegReader*>(jpeg->client_data);
}

[[noreturn]] void on_error(j_common_ptr jpeg) {
  JpegReader& r = reader_of(jpeg);
  jpeg->err->format_message(jpeg, r.message);
  std::longjmp(r.escape, 1);
}

// What libjpeg warns of although every pixel comes out as it was written; PIL reads such files. Behind its
// other warnings (the file ends early, codes that do not exist) are pixels that it made up.
bool keeps_all_pixels(int warning) {
  switch (warning) {
    case JWRN_ADOBE_XFORM:      // a number in the header that nobody knows
    case JWRN_EXTRANEOUS_DATA:  // bytes between the end of a part and the next marker
    case JWRN_JFIF_MAJOR:       // a version that nobody knows
    case JWRN_NOT_SEQUENTIAL:   // progressive parameters in a file that is not
      return true;
    default:
      return false;
  }
}

void on_message(j_common_ptr jpeg, int level) {
  if (level >= 0) return;  // what it found, no warning
  if (!keeps_all_pixels(jpeg->err->msg_code)) on_error(jpeg);
  JpegReader& r = reader_of(jpeg);
  if (!r.warned) jpeg->err->format_message(jpeg, r.message);
  r.warned = true;
}

// Small files can ask for hours of work by scans of nothing.
void limit_scans(j_common_ptr jpeg) {
  constexpr int most = 500;
  JpegReader& r = reader_of(jpeg);
  if (r.jpeg.input_scan_number <= most) return;
  std::snprintf(r.message, sizeof r.message, "more than %d scans", most);
  std::longjmp(r.escape, 1);
}

bool read_header(JpegReader& r, const uint8_t* bytes, size_t size) {
  if (setjmp(r.escape)) return false;
  r.jpeg.err = jpeg_std_error(&r.errors);
  r.errors.error_exit = on_error;
  r.errors.emit_message = on_message;
  r.jpeg.client_data = &r;
  jpeg_create_decompress(&r.jpeg);
  r.progress.progress_monitor = limit_scans;
  r.jpeg.progress = &r.progress;
  jpeg_mem_src(&r.jpeg, bytes, size);
  jpeg_read_header(&r.jpeg, TRUE);
  return true;
}

// Sets output_width and output_height.
bool choose_output(JpegReader& r, int shrink, J_COLOR_SPACE space) {
  if (setjmp(r.escape)) return false;
  r.jpeg.out_color_space = space;
  r.jpeg.scale_num = 1;
  r.jpeg.scale_denom = static_cast<unsigned>(shrink);
  jpeg_calc_output_dimensions(&r.jpeg);
  return true;
}

bool read_pixels(JpegReader& r, uint8_t* out, size_t row_bytes) {
  if (setjmp(r.escape)) return false;
  jpeg_start_decompress(&r.jpeg);
  while (r.jpeg.output_scanline < r.jpeg.output_height) {
    JSAMPROW row = out + r.jpeg.output_scanline * row_bytes;
    jpeg_read_scanlines(&r.jpeg, &row, 1);
  }
  jpeg_finish_decompress(&r.jpeg);
  return true;
}

int shrink_of(int64_t width, int64_t height, int short_side) {
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

Image decode_jpeg(std::span<const uint8_t> bytes, const std::string& name, const DecodeOptions& options) {
  JpegReader reader;
  const auto damaged = [&] {
    return Error(errors::damaged_jpeg,
                 name + ": damaged JPEG of " + std::to_string(bytes.size()) + " bytes: " + reader.message,
                 "replace or remove it, or set data.on_bad_sample to \"skip\"");
  };
  if (!read_header(reader, bytes.data(), bytes.size())) throw damaged();
  const jpeg_decompress_struct& jpeg = reader.jpeg;
  check_size(jpeg.image_width, jpeg.image_height, options, name);
  const bool cmyk = jpeg.jpeg_color_space == JCS_CMYK || jpeg.jpeg_color_space == JCS_YCCK;
  const int shrink = shrink_of(jpeg.image_width, jpeg.image_height, options.short_side);
  if (!choose_output(reader, shrink, cmyk ? JCS_CMYK : JCS_RGB)) throw damaged();
  Image out(static_cast<int>(jpeg.output_width), static_cast<int>(jpeg.output_height));
  std::vector<uint8_t> inks(cmyk ? size_t{4} * out.width * out.height : 0);
  if (!read_pixels(reader, cmyk ? inks.data() : out.rgb.data(), size_t{cmyk ? 4u : 3u} * out.width))
    throw damaged();
  if (cmyk) cmyk_to_rgb(inks, out);
  if (reader.warned) out.warning = reader.message;
  return out;
}

}  // namespace eb::data
