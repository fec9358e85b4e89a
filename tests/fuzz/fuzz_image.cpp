// Any bytes as an image file: an Image of the size it claims, or eb::Error.
#include <cstdlib>

#include "data/decode.h"
#include "engine/base/error.h"

// The first byte asks for a scaled decode or not. The limit keeps the inputs per second high.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  try {
    const eb::data::Image image = eb::data::decode(
        {bytes + 1, size - 1}, "input", {.short_side = bytes[0] & 1 ? 0 : 8, .max_pixels = 1 << 16});
    if (image.width < 1 || image.height < 1) std::abort();
    if (image.bytes() != size_t{3} * image.width * image.height) std::abort();
  } catch (const eb::Error& e) {
    if (e.code() < 3011 || e.code() > 3014) std::abort();
  }
  return 0;
}
