// A decoded picture: 8-bit RGB, rows top to bottom.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace eb::data {

struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;  // (height, width, 3)
  std::string warning;       // of the decoder: all pixels are there, but the file is odd

  Image() = default;
  Image(int w, int h) : width(w), height(h), rgb(size_t{3} * w * h) {}
  size_t bytes() const { return rgb.size(); }
};

}  // namespace eb::data
