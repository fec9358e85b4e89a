#include "tools/plot/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/plot/html_text.h"
#include "tools/plot/svg_frame.h"
#include "tools/plot/svg_thin.h"

namespace eb::tools::page {

std::string svg_open(const std::string& title, const char* css, double width, double height, double above) {
  const std::string name = escape_html(title);
  return fmt::format(
      "<svg role=\"img\" class=\"{}\" viewBox=\"0 {} {} {}\" aria-label=\"{}\"><title>{}</title>", css,
      px(0 - above), px(width), px(height + above), name, name);
}

std::string svg_text(double x, double y, const char* anchor, const std::string& plain) {
  return fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>", px(x), px(y), anchor,
                     escape_html(plain));
}

std::string legend_entry(const std::string& css, const std::string& plain) {
  return "<li><i class=\"key " + css + "\"></i>" + escape_html(plain) + "</li>";
}

namespace {

struct Range {
  double low = INFINITY, high = -INFINITY;
  void add(Number v) {
    if (v) low = std::min(low, *v), high = std::max(high, *v);
  }
  bool empty() const { return low > high; }
};

}  // namespace

static Range x_range(const Plot& plot) {
  Range r;
  for (const Series& s : plot.series)
    for (double x : s.x) r.add(x);
  for (const PhaseLine& p : plot.phases) r.add(p.x);
  return r;
}

static Number deviation(const Series& s, size_t i) {
  return i < s.y_std.size() ? s.y_std[i] : std::nullopt;
}

static Range y_range(const Plot& plot) {
  Range r;
  for (const Series& s : plot.series)
    for (size_t i = 0; i < s.y.size(); ++i) {
      const double spread = deviation(s, i).value_or(0);
      if (s.y[i]) r.add(*s.y[i] - spread), r.add(*s.y[i] + spread);
    }
  if (r.empty()) return r;
  r.add(plot.level), r.add(plot.y_low), r.add(plot.y_high);
  return r;
}

// The ends of the x axis are the first and the last epoch themselves: a run has no "epoch 50" if it ended
// at 40, and none has an "epoch 2.5".
static Axis epoch_axis(const Range& r) {
  const double room = r.high > r.low ? 0 : 1;
  return {r.low - room, r.high + room, 0, 1, false, true};
}

static std::string points_path(const Series& s, const Frame& f, bool markers) {
  std::string d, dots;
  for (size_t i = 0; i < s.x.size() && i < s.y.size(); ++i) {
    if (!s.y[i]) continue;
    const bool joined = i > 0 && s.y[i - 1];
    const bool alone = !joined && (i + 1 >= s.y.size() || !s.y[i + 1]);
    const std::string x = px(f.x.at(s.x[i])), y = px(f.y.at(*s.y[i]));
    d += joined && s.stairs ? "V" + y + "H" + x : (joined ? "L" : "M") + x + " " + y;
    if (const Number spread = deviation(s, i))
      dots += fmt::format("<path class=\"deviation s{}\" d=\"M{} {}V{}\"/>", s.color, x,
                          px(f.y.at(*s.y[i] - *spread)), px(f.y.at(*s.y[i] + *spread)));
    if (alone || markers)
      dots += fmt::format("<circle class=\"dot s{}\" cx=\"{}\" cy=\"{}\" r=\"3.5\"/>", s.color, x, y);
  }
  return fmt::format("<path class=\"line s{}{}\" d=\"{}\"/>", s.color, s.dashed ? " dashed" : "", d) + dots;
}

constexpr double name_height = 18;

// Their names stand above the frame, where no curve runs.
static double room_for_names(const Plot& plot) {
  return name_height * static_cast<double>(plot.phases.size());
}

static std::string phase_lines(const Plot& plot, const Frame& f) {
  std::string out;
  double y = frame_top - 4 - room_for_names(plot) + name_height;
  for (const PhaseLine& p : plot.phases) {
    const double x = f.x.at(p.x);
    const bool right = x > (frame_left + frame_right) / 2;
    out += fmt::format("<path class=\"phase\" d=\"M{} {}V{}\"/>", px(x), px(y - 10), px(frame_bottom));
    out += "<g class=\"phase-name\">" + svg_text(x + (right ? -6 : 6), y, right ? "end" : "start", p.name) +
           "</g>";
    y += name_height;
  }
  return out;
}

static std::string legend(const Plot& plot) {
  std::string out;
  if (plot.series.size() > 1 || plot.level)
    for (const Series& s : plot.series)
      out += legend_entry(fmt::format("s{}{}", s.color, s.dashed ? " dashed" : ""), s.name);
  if (plot.level) out += legend_entry("level", plot.level_name);
  return out.empty() ? "" : "<ul class=\"legend\">" + out + "</ul>";
}

std::string line_plot(const Plot& plot) {
  const Range xs = x_range(plot), ys = y_range(plot);
  if (xs.empty() || ys.empty()) return "";
  const bool log = plot.log_y && ys.low > 0 && ys.high >= 20 * ys.low;
  Frame f{epoch_axis(xs), log ? log_axis(ys.low, ys.high) : round_axis(ys.low, ys.high, 5), plot.x_name,
          plot.y_name, plot.percent_y};
  place(f);
  std::string out = legend(plot) +
                    svg_open(plot.title, "wide", frame_width, frame_height, room_for_names(plot)) +
                    frame_svg(f);
  if (plot.level)
    out += fmt::format("<path class=\"level\" d=\"M{} {}H{}\"/>", px(frame_left), px(f.y.at(*plot.level)),
                       px(frame_right));
  constexpr size_t most_points = 1000;  // twice as many as the plot has pixels
  for (const Series& s : plot.series) out += points_path(thinned(s, most_points), f, plot.markers);
  return out + phase_lines(plot, f) + "</svg>";
}

static std::string point_svg(const ScatterPoint& p, const Frame& f) {
  const double x = f.x.at(p.x), y = f.y.at(p.y);
  std::string out = "<g class=\"point\"><title>" + escape_html(shorten(p.name, 120)) + "</title>";
  if (p.y_std)
    out += fmt::format("<path class=\"spread\" d=\"M{} {}V{}\"/>", px(x), px(f.y.at(p.y - *p.y_std)),
                       px(f.y.at(p.y + *p.y_std)));
  out += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"12\"/>", px(x), px(y));
  return out + svg_text(x, y, "middle", std::to_string(p.number)) + "</g>";
}

std::string scatter_plot(const Scatter& s) {
  Range xs, ys;
  for (const ScatterPoint& p : s.points) {
    xs.add(p.x);
    ys.add(p.y - p.y_std.value_or(0)), ys.add(p.y + p.y_std.value_or(0));
  }
  if (xs.empty()) return "";
  xs.add(0);  // a cost is read from zero
  Frame f{round_axis(xs.low, xs.high, 6), round_axis(ys.low, ys.high, 5), s.x_name, s.y_name, s.percent_y};
  place(f);
  std::string out = svg_open(s.title, "wide", frame_width, frame_height) + frame_svg(f);
  for (const ScatterPoint& p : s.points) out += point_svg(p, f);
  return out + "</svg>";
}

}  // namespace eb::tools::page
