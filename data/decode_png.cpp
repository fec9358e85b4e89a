// libpng reports errors by longjmp, which must not pass over C++ objects: everything with a destructor lives
// in decode_png, the functions that libpng may leave hold plain values only.
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <iterator>
#include <vector>

#include "data/decode.h"
#include "engine/base/error.h"
#include "engine/base/error_codes.h"

namespace eb::data {
namespace {

constexpr png_uint_32 pixels_chunk = 0x49444154;  // "IDAT"

struct PngReader {
  std::span<const uint8_t> bytes;
  size_t at = 0;
  char message[128] = "";  // of the error, or of the first warning
  bool warned = false;
  png_structp png = nullptr;
  png_infop info = nullptr;
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
};

[[noreturn]] void on_error(png_structp png, png_const_charp text) {
  auto* reader = static_cast<PngReader*>(png_get_error_ptr(png));
  std::strncpy(reader->message, text, sizeof reader->message - 1);
  png_longjmp(png, 1);
}

// Most are about what colour profiles and text say, which is not used; that bytes have changed is worth
// knowing.
void on_warning(png_structp png, png_const_charp text) {
  auto* reader = static_cast<PngReader*>(png_get_error_ptr(png));
  if (reader->warned || !std::strstr(text, "CRC error")) return;
  std::strncpy(reader->message, text, sizeof reader->message - 1);
  reader->warned = true;
}

void read_some(png_structp png, png_bytep out, size_t n) {
  auto* reader = static_cast<PngReader*>(png_get_io_ptr(png));
  if (n > reader->bytes.size() - reader->at) png_error(png, "file ends early");
  std::memcpy(out, reader->bytes.data() + reader->at, n);
  reader->at += n;
}

bool read_header(PngReader& r) {
  if (setjmp(png_jmpbuf(r.png))) return false;
  png_set_read_fn(r.png, &r, read_some);
  png_set_user_limits(r.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // check_size decides
  png_set_chunk_malloc_max(r.png, 8 << 20);
  png_set_crc_action(r.png, PNG_CRC_ERROR_QUIT, PNG_CRC_WARN_DISCARD);  // critical chunks, others
  png_read_info(r.png, r.info);
  return true;
}

bool read_pixels(PngReader& r, uint8_t* rgb, size_t row_bytes, png_uint_32 rows) {
  if (setjmp(png_jmpbuf(r.png))) return false;
  png_set_expand(r.png);
  png_set_scale_16(r.png);
  png_set_gray_to_rgb(r.png);
  png_set_strip_alpha(r.png);
  const int passes = png_set_interlace_handling(r.png);
  png_read_update_info(r.png, r.info);
  if (png_get_rowbytes(r.png, r.info) != row_bytes) png_error(r.png, "unexpected pixel format");
  for (int pass = 0; pass < passes; ++pass)
    for (png_uint_32 y = 0; y < rows; ++y) png_read_row(r.png, rgb + y * row_bytes, nullptr);
  return true;
}

// The checksum of the pixels, and what stands behind them.
bool read_rest(PngReader& r) {
  if (setjmp(png_jmpbuf(r.png))) return false;
  png_read_end(r.png, nullptr);
  return true;
}

// Behind the last chunk of pixels nothing is missing. That chunk is the current one until the next one's
// header is read.
bool failed_behind_pixels(const PngReader& r) {
  return png_get_io_chunk_type(r.png) != pixels_chunk || (png_get_io_state(r.png) & PNG_IO_CHUNK_HDR);
}

using Name = std::array<uint8_t, 4>;
constexpr Name palette = {'P', 'L', 'T', 'E'}, pixels = {'I', 'D', 'A', 'T'}, apple = {'C', 'g', 'B', 'I'};

struct Chunk {
  Name name;
  size_t begin, end;  // with its length, name and checksum
};

// As far as they are whole.
std::vector<Chunk> chunks_of(std::span<const uint8_t> bytes) {
  std::vector<Chunk> all;
  constexpr size_t signature = 8, around = 12;
  for (size_t at = signature; at + around <= bytes.size();) {
    const size_t length = png_get_uint_32(&bytes[at]);
    if (length > bytes.size() - at - around) break;
    Chunk c{{}, at, at + around + length};
    std::copy_n(&bytes[at + 4], 4, c.name.begin());
    all.push_back(c);
    at = c.end;
  }
  return all;
}

// libpng refuses a second palette, in whatever picture. The last one before the pixels counts, as in PIL, and
// where the pixels are colours themselves none does. Empty: there is no second one.
std::vector<uint8_t> with_one_palette(std::span<const uint8_t> bytes) {
  std::vector<Chunk> chunks = chunks_of(bytes);
  const auto is = [](const Name& name) { return [&](const Chunk& c) { return c.name == name; }; };
  if (std::ranges::count_if(chunks, is(palette)) < 2) return {};
  const auto first_pixels = std::ranges::find_if(chunks, is(pixels));
  const auto before = std::find_if(std::reverse_iterator(first_pixels), chunks.rend(), is(palette));
  const size_t kept = before == chunks.rend() ? 0 : before->begin;
  std::vector<uint8_t> out;
  size_t from = 0;
  for (const Chunk& c : chunks) {
    if (c.name != palette || c.begin == kept) continue;
    out.insert(out.end(), bytes.begin() + static_cast<std::ptrdiff_t>(from),
               bytes.begin() + static_cast<std::ptrdiff_t>(c.begin));
    from = c.end;
  }
  out.insert(out.end(), bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.end());
  return out;
}

// Xcode's form for iPhones: another order of the colours, alpha multiplied in, and no header of zlib.
void refuse_apple_png(std::span<const uint8_t> bytes, const std::string& name) {
  if (bytes.size() < 16 || !std::equal(apple.begin(), apple.end(), &bytes[12])) return;
  throw Error(
      errors::image_format,
      name + ": a PNG as Xcode optimises it for iPhones (chunk CgBI), which is no PNG for other programs",
      "convert it on a Mac: xcrun -sdk iphoneos pngcrush -revert-iphone-optimizations IN.png OUT.png; or "
      "set data.on_bad_sample to \"skip\"");
}

}  // namespace

Image decode_png(std::span<const uint8_t> bytes, const std::string& name, const DecodeOptions& options) {
  refuse_apple_png(bytes, name);
  const std::vector<uint8_t> repaired = with_one_palette(bytes);
  PngReader reader{repaired.empty() ? bytes : repaired};
  if (!repaired.empty()) {
    std::strncpy(reader.message, "PLTE: duplicate", sizeof reader.message - 1);
    reader.warned = true;
  }
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning);
  reader.info = png_create_info_struct(reader.png);
  const auto damaged = [&] {
    return Error(errors::damaged_png,
                 name + ": damaged PNG at byte " + std::to_string(reader.at) + " of " +
                     std::to_string(bytes.size()) + ": " + reader.message,
                 "replace or remove it, or set data.on_bad_sample to \"skip\"");
  };
  if (!read_header(reader)) throw damaged();
  const png_uint_32 width = png_get_image_width(reader.png, reader.info);
  const png_uint_32 height = png_get_image_height(reader.png, reader.info);
  check_size(width, height, options, name);
  Image out(static_cast<int>(width), static_cast<int>(height));
  if (!read_pixels(reader, out.rgb.data(), size_t{3} * width, height)) throw damaged();
  if (!read_rest(reader)) {
    if (!failed_behind_pixels(reader)) throw damaged();
    reader.warned = true;
  }
  if (reader.warned) out.warning = reader.message;
  return out;
}

}  // namespace eb::data
