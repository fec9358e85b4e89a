// The picture of the paper's figure 4: distance of the masks of every two epochs, warm where they agree.
#pragma once
#include <cstdint>
#include <vector>

#include "tools/plot/png_writer.h"

namespace eb::tools {

struct Color {
  uint8_t r, g, b;
};
// 0: the same mask (warm), 1: no channel in common (cold). Perceptually even; clamps.
Color distance_color(double distance);

// One pixel for each pair, first epoch at the top left. `distances` is row-major (n, n), in 0..1.
Picture heat_map(const std::vector<double>& distances, int n);
// Each pixel as a square of pixels, so that the picture is at least `width` wide: viewers blur small ones.
Picture enlarge_to(const Picture& picture, int width);

}  // namespace eb::tools
