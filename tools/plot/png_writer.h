// A picture in memory as the bytes of a PNG file.
#pragma once
#include <cstdint>
#include <vector>

namespace eb::tools {

struct Picture {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;  // (height, width, 3)
};

std::vector<uint8_t> to_png(const Picture& picture);

}  // namespace eb::tools
