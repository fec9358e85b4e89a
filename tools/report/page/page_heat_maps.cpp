// The distance of the masks of every two epochs: one picture with one pixel a cell, enlarged by the browser
// without blurring, and axes in SVG over it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/plot/heat_map.h"
#include "tools/plot/html_text.h"
#include "tools/plot/svg_axis.h"
#include "tools/plot/svg_plot.h"
#include "tools/record/numbers.h"
#include "tools/report/gather/masks.h"
#include "tools/report/page/page.h"

namespace eb::tools::page {

static constexpr double left = 46, top = 30, side = 304, width = 360, height = 442;

static std::string image(const Picture& picture, const char* css, double x, double y, double w, double h) {
  const auto png = to_png(picture);
  return fmt::format(
      "<image class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" "
      "href=\"data:image/png;base64,{}\"/>",
      css, px(x), px(y), px(w), px(h), base64(std::string(png.begin(), png.end())));
}

static std::string cells(const MaskDistances& m) {
  std::vector<double> distances;
  for (double d : m.differing_) distances.push_back(d / m.bits);
  return image(heat_map(distances, static_cast<int>(m.epochs.size())), "cells", left, top, side, side);
}

// Middle of the cell of mask i along one axis.
static double middle(const MaskDistances& m, size_t i) {
  return side * (static_cast<double>(i) + 0.5) / static_cast<double>(m.epochs.size());
}

// Indices of masks to write at the axes: at most about eight, the first among them.
static std::vector<size_t> tick_masks(size_t n) {
  size_t step = 1;
  for (size_t next : {2, 5, 10, 20, 25, 50, 100, 200, 500, 1000})
    if (n > 8 * step) step = next;
  std::vector<size_t> all{0};
  for (size_t i = step == 1 ? 1 : step - 1; i < n; i += step)
    if (i > 0) all.push_back(i);
  return all;
}

static std::string axes(const MaskDistances& m) {
  std::string out;
  double last = -100;
  for (size_t i : tick_masks(m.epochs.size())) {
    const double at = middle(m, i);
    if (at - last < 32) continue;  // "0.67" is as wide
    last = at;
    const std::string epoch = epochs(m.epochs[i]);
    out += fmt::format("<path class=\"axis\" d=\"M{0} {1}v4M{2} {3}h-4\"/>", px(left + at), px(top + side),
                       px(left), px(top + at));
    out += svg_text(left + at, top + side + 18, "middle", epoch) +
           svg_text(left - 8, top + at + 4, "end", epoch);
  }
  return out + svg_text(left + side / 2, top + side + 36, "middle", "epoch");
}

// The block of the masks in the detector's window, and a pointer at the epoch that decided.
static std::string window_mark(const SearchReport& search, const MaskDistances& m, size_t at) {
  const double cell = side / static_cast<double>(m.epochs.size());
  const auto masks = static_cast<size_t>(std::max(window_of(search), 1));
  const size_t first = at + 1 - std::min(at + 1, masks);
  const double from = cell * static_cast<double>(first), size = cell * static_cast<double>(at + 1 - first);
  const std::string box = fmt::format("x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"", px(left + from),
                                      px(top + from), px(size), px(size));
  const double x = left + middle(m, at);
  return "<rect class=\"window-back\" " + box + "/><rect class=\"window\" " + box + "/>" +
         fmt::format("<path class=\"pointer\" d=\"M{} {}l-5 -8h10z\"/>", px(x), px(top - 2)) +
         "<g class=\"pointer\">" +
         svg_text(std::clamp(x, left + 30, left + side - 30), top - 14, "middle", at_epoch(m.epochs[at])) +
         "</g>";
}

// The scale runs with the square root of the distance, as the colours do.
static std::string color_bar(const SearchReport& search) {
  constexpr int steps = 128;
  Picture bar{steps, 1, {}};
  for (int i = 0; i < steps; ++i) {
    const double root = (i + 0.5) / steps;
    const Color c = distance_color(root * root);
    bar.rgb.insert(bar.rgb.end(), {c.r, c.g, c.b});
  }
  const double y = top + side + 52;
  std::string out = image(bar, "scale", left, y, side, 12);
  for (double d : {0., 0.02, 0.1, 0.25, 0.5, 1.}) {
    const double x = left + side * std::sqrt(d);
    out += fmt::format("<path class=\"axis\" d=\"M{} {}v4\"/>", px(x), px(y + 12)) +
           svg_text(x, y + 29, "middle", brief(d));
  }
  if (const Number threshold = search.threshold; threshold && *threshold >= 0)
    out += fmt::format("<path class=\"level\" d=\"M{} {}v18\"/>",
                       px(left + side * std::sqrt(std::min(1.0, *threshold))), px(y - 3));
  return out + svg_text(left + side / 2, y + 46, "middle", "distance of two masks; dashed: threshold");
}

static std::string map_title(const RatioReport& ratio, const MaskDistances& m,
                             const std::optional<size_t>& at) {
  const Number p = ratio.ratio;
  return "Distances of every two masks" + (p ? ", p = " + brief(*p) : std::string()) + ", epochs " +
         epochs(m.epochs.front()) + " to " + epochs(m.epochs.back()) +
         (at ? "; the ticket emerged at " + at_epoch(m.epochs[*at]) : "; no ticket emerged");
}

static std::string one_map(const SearchReport& search, const RatioReport& ratio) {
  const MaskDistances m = mask_distances(ratio);
  const std::string name = ratio.ratio ? "p = " + brief(*ratio.ratio) : ratio.name;
  if (m.epochs.empty()) return "<p class=\"empty\">" + shortened(name) + ": no masks were kept.</p>";
  const auto at = emergence(ratio, m);
  const std::string picture =
      svg_open(map_title(ratio, m, at), "map", width, height) + cells(m) +
      fmt::format("<rect class=\"rim\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>", px(left), px(top),
                  px(side), px(side)) +
      axes(m) + (at ? window_mark(search, m, *at) : "") + color_bar(search) + "</svg>";
  const std::string found =
      at ? "Emerged at " + at_epoch(m.epochs[*at]) + "; the square is the detector's window."
         : "No ticket emerged while masks were drawn.";
  return figure(escape_html(name) + (is_drawn(search, ratio) ? " <span class=\"tag\">drawn</span>" : ""),
                picture, found);
}

std::string heat_maps(const RunPage& page, const SearchReport& search) {
  std::string maps;
  for (const RatioReport& ratio : search.ratios) maps += one_map(search, ratio);
  if (maps.empty()) return "";
  const int level = page.heading + 1;
  return fmt::format("<h{}>The masks of every two epochs</h{}>", level, level) +
         "<p class=\"note\">Each cell compares the masks of two epochs: the row is one, the column the "
         "other. Pale means "
         "that they nearly agree, dark that they differ. The diagonal is each mask with itself. Read along "
         "it from the "
         "top left: a dark start says that the mask still changes from epoch to epoch, and a pale square "
         "that grows "
         "towards the bottom right says that it has settled. The ticket emerges when the last row of the "
         "window is pale "
         "enough.</p><div class=\"maps\">" +
         maps + "</div>";
}

}  // namespace eb::tools::page
