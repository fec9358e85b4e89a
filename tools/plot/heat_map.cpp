#include "tools/plot/heat_map.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace eb::tools {

// Seven even steps of lightness from pale yellow over orange and purple to near black. Most of a run lies
// below 0.5, so the scale is the square root of the distance: small differences stay visible.
static constexpr std::array<std::array<double, 3>, 7> stops = {{{252, 253, 191},
                                                                {254, 194, 135},
                                                                {248, 132, 96},
                                                                {211, 67, 110},
                                                                {142, 41, 129},
                                                                {77, 17, 120},
                                                                {8, 8, 36}}};

Color distance_color(double distance) {
  const double at = std::sqrt(std::clamp(distance, 0.0, 1.0)) * (stops.size() - 1);
  const size_t low = std::min(static_cast<size_t>(at), stops.size() - 2);
  const double share = at - static_cast<double>(low);
  const auto mix = [&](int c) {
    return static_cast<uint8_t>(std::lround((1 - share) * stops[low][c] + share * stops[low + 1][c]));
  };
  return {mix(0), mix(1), mix(2)};
}

Picture heat_map(const std::vector<double>& distances, int n) {
  Picture picture{n, n, {}};
  picture.rgb.reserve(distances.size() * 3);
  for (double distance : distances) {
    const Color c = distance_color(distance);
    picture.rgb.insert(picture.rgb.end(), {c.r, c.g, c.b});
  }
  return picture;
}

Picture enlarge_to(const Picture& picture, int width) {
  const int scale = (width + picture.width - 1) / picture.width;
  Picture large{picture.width * scale, picture.height * scale, {}};
  large.rgb.reserve(picture.rgb.size() * static_cast<size_t>(scale) * static_cast<size_t>(scale));
  for (int y = 0; y < large.height; ++y)
    for (int x = 0; x < large.width; ++x) {
      const uint8_t* p = &picture.rgb[static_cast<size_t>(3 * ((y / scale) * picture.width + x / scale))];
      large.rgb.insert(large.rgb.end(), p, p + 3);
    }
  return large;
}

}  // namespace eb::tools
