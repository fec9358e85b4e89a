#include "tools/plot/svg_frame.h"

#include <fmt/format.h>

#include "tools/plot/svg_plot.h"
#include "tools/record/numbers.h"

namespace eb::tools::page {

void place(Frame& f) {
  f.x.from = frame_left, f.x.to = frame_right;
  f.y.from = frame_bottom, f.y.to = frame_top;
}

static std::string tick_text(double v, bool percent) {
  if (percent) return brief(v * 100) + " %";
  return v >= 1e5 ? fmt::format("{:.3g}", v) : brief(v);
}

static std::string y_ticks(const Frame& f) {
  std::string out;
  for (double v : f.y.ticks(5)) {
    const double y = f.y.at(v);
    out += fmt::format("<path class=\"grid\" d=\"M{} {}H{}\"/>", px(frame_left), px(y), px(frame_right));
    out += svg_text(frame_left - 8, y + 4, "end", tick_text(v, f.percent_y));
  }
  return out;
}

static std::string x_ticks(const Frame& f) {
  std::string out;
  for (double v : f.x.ticks(6)) {
    const double x = f.x.at(v);
    out += fmt::format("<path class=\"axis\" d=\"M{} {}v5\"/>", px(x), px(frame_bottom));
    out += svg_text(x, frame_bottom + 21, "middle", tick_text(v, false));
  }
  return out;
}

std::string frame_svg(const Frame& f) {
  return y_ticks(f) + x_ticks(f) +
         fmt::format("<path class=\"axis\" d=\"M{} {}H{}\"/>", px(frame_left), px(frame_bottom),
                     px(frame_right)) +
         svg_text((frame_left + frame_right) / 2, frame_height - 8, "middle", f.x_name);
}

}  // namespace eb::tools::page
