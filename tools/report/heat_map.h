// The picture of the paper's figure 4: distance of the masks of every two epochs, warm where they agree.
#pragma once
#include <cstdint>
#include <vector>

#include "tools/report/png.h"

namespace eb::tools {

struct Color {
  uint8_t r, g, b;
};
// 0: the same mask (warm), 1: no channel in common (cold). Perceptually even; clamps.
Color distance_color(double distance);

// One pixel for each pair, first epoch at the top left. `distances` is row-major (n, n), in 0..1.
Picture heat_map(const std::vector<double>& distances, int n);
// Each cell as `scale` x `scale` pixels, for viewers that blur small pictures.
Picture enlarge(const Picture& picture, int scale);

}  // namespace eb::tools
