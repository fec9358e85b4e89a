#include "tools/plot/png_writer.h"

#include <png.h>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"

namespace eb::tools {

std::vector<uint8_t> to_png(const Picture& picture) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = PNG_FORMAT_RGB;
  std::vector<uint8_t> bytes(PNG_IMAGE_PNG_SIZE_MAX(image));
  png_alloc_size_t size = bytes.size();
  if (!png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.rgb.data(), 0, nullptr))
    throw Error(errors::file_failed, std::string("cannot write a PNG: ") + image.message);
  bytes.resize(size);
  return bytes;
}

}  // namespace eb::tools
