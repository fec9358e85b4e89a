// What line and scatter plots share: the frame with its axes.
#pragma once
#include <string>

#include "tools/plot/svg_axis.h"

namespace eb::tools::page {

struct Frame {
  Axis x, y;
  std::string x_name, y_name;
  bool percent_y = false;
};
constexpr double frame_width = 560, frame_height = 310;
constexpr double frame_left = 66, frame_right = 546, frame_top = 14, frame_bottom = 256;

// Sets where the axes lie.
void place(Frame& frame);
// Grid lines, ticks, names of the axes.
std::string frame_svg(const Frame& frame);

}  // namespace eb::tools::page
