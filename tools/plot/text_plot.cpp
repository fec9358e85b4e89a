#include "tools/plot/text_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace eb::tools {

// --- text ---

void TextLine::paint(int color) {
  static constexpr std::array<const char*, 6> curves = {"\x1b[36m", "\x1b[33m", "\x1b[35m",
                                                        "\x1b[32m", "\x1b[34m", "\x1b[31m"};
  if (!color_ || color == now_) return;
  if (now_ != 0) text_ += "\x1b[0m";
  if (color == dim) text_ += "\x1b[2m";
  if (color > 0) text_ += curves[static_cast<size_t>(color - 1) % curves.size()];
  now_ = color;
}

void TextLine::add(std::string_view ascii, int color) {
  const auto fits = std::min(ascii.size(), static_cast<size_t>(std::max(0, left_)));
  if (fits == 0) return;
  paint(color);
  text_ += ascii.substr(0, fits);
  left_ -= static_cast<int>(fits);
}

void TextLine::add_cell(std::string_view one_column, int color) {
  if (left_ <= 0) return;
  if (one_column != " ") paint(color);
  text_ += one_column;
  --left_;
}

std::string TextLine::padded() {
  paint(0);
  text_.append(static_cast<size_t>(std::max(0, left_)), ' ');
  left_ = 0;
  return text_;
}

// --- canvas ---

namespace {

constexpr int label_width = 8;

struct Range {
  double from, to;
  double share(double v) const {  // ends as far apart as doubles go have no difference
    const double share = (v - from) / (to - from);
    return std::isfinite(share) ? share : 0.5;
  }
};

// Cells of 2 x 4 dots, or of one.
struct Canvas {
  int columns, rows, dots_x, dots_y;
  std::vector<uint8_t> dots;  // of each cell: which are set
  std::vector<int> color;     // of each cell: number of the curve, 0 for none

  Canvas(int columns, int rows, bool fine)
      : columns(columns),
        rows(rows),
        dots_x(fine ? 2 : 1),
        dots_y(fine ? 4 : 1),
        dots(static_cast<size_t>(columns * rows)),
        color(dots.size()) {}

  void set(int x, int y, int curve) {
    static constexpr uint8_t braille[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    const auto cell = static_cast<size_t>(y / dots_y * columns + x / dots_x);
    dots[cell] |= braille[y % dots_y][x % dots_x];
    color[cell] = curve;
  }
  int dot_x(double share) const { return dot(share, columns * dots_x); }
  int dot_y(double share) const { return dot(1 - share, rows * dots_y); }

  void join(int x0, int y0, int x1, int y1, int curve) {
    const int n = std::max({std::abs(x1 - x0), std::abs(y1 - y0), 1});
    for (int i = 0; i <= n; ++i) set(x0 + (x1 - x0) * i / n, y0 + (y1 - y0) * i / n, curve);
  }

 private:
  static int dot(double share, int dots) {
    return static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * (dots - 1)));
  }
};

Range range_of(const Plot& plot) {
  Range r{INFINITY, -INFINITY};
  const auto include = [&](double v) { r.from = std::min(r.from, v), r.to = std::max(r.to, v); };
  for (const Curve& c : plot.curves)
    for (const auto& [x, y] : c.points)
      if (std::isfinite(y)) include(y);
  if (!(r.from <= r.to)) return {0, 1};
  if (plot.line) include(*plot.line);
  if (r.from == r.to) r.to += std::max(1e-6, std::abs(r.to) * 1e-3);
  return r;
}

void draw_curve(Canvas& canvas, const Plot& plot, const Range& y_range, size_t number) {
  const Range x_range{plot.x_from, plot.x_to};
  std::optional<std::pair<int, int>> before;
  for (const auto& [x, y] : plot.curves[number].points) {
    if (!std::isfinite(y)) {
      before.reset();
      continue;
    }
    const std::pair at{canvas.dot_x(x_range.share(x)), canvas.dot_y(y_range.share(y))};
    const auto& from = before ? *before : at;
    canvas.join(from.first, from.second, at.first, at.second, static_cast<int>(number) + 1);
    before = at;
  }
}

std::string number_text(double v) {
  const double size = std::abs(v);
  return size >= 1e4 && size < 1e7 ? fmt::format("{:.0f}", v) : fmt::format("{:.4g}", v);
}

std::string braille(uint8_t dots) {
  return {static_cast<char>(0xE2), static_cast<char>(0xA0 | dots >> 6),
          static_cast<char>(0x80 | (dots & 0x3F))};
}

// Which mark a curve has where braille dots cannot tell it.
std::string mark_of(int curve, bool unicode) {
  static constexpr std::array<const char*, 5> ascii = {"*", "+", "o", "x", "#"},
                                              wide = {"●", "○", "■", "□", "▲"};
  return (unicode ? wide : ascii)[static_cast<size_t>(curve - 1) % ascii.size()];
}

// --- the parts of a plot ---

struct Painter {
  const Plot& plot;
  const PlotStyle& style;
  bool marks = !style.unicode || (!style.color && plot.curves.size() > 1);
  Range y_range = range_of(plot);

  std::string title() const {
    TextLine line(style.width, style.color);
    line.add(plot.title);
    if (plot.line) line.add(fmt::format(", threshold {}", number_text(*plot.line)), TextLine::dim);
    for (size_t i = 0; i < plot.curves.size(); ++i) {
      const Curve& c = plot.curves[i];
      const int color = static_cast<int>(i) + 1;
      line.add("  ");
      if (marks) line.add_cell(mark_of(color, style.unicode), color);
      line.add(fmt::format("{} {}", c.name, c.points.empty() ? "-" : number_text(c.points.back().second)),
               color);
    }
    return line.padded();
  }

  std::string row(const Canvas& canvas, int y) const {
    TextLine line(style.width, style.color);
    const bool top = y == 0, bottom = y == canvas.rows - 1;
    const std::string label = top ? number_text(y_range.to) : bottom ? number_text(y_range.from) : "";
    line.add(fmt::format("{:>{}.{}} ", label, label_width, label_width));
    line.add_cell(style.unicode ? "│" : "|", TextLine::dim);
    for (int x = 0; x < canvas.columns; ++x) add_cell(line, canvas, x, y);
    return line.padded();
  }

  void add_cell(TextLine& line, const Canvas& canvas, int x, int y) const {
    const auto cell = static_cast<size_t>(y * canvas.columns + x);
    const int curve = canvas.color[cell];
    if (curve)
      return line.add_cell(marks ? mark_of(curve, style.unicode) : braille(canvas.dots[cell]), curve);
    if (plot.line && y == canvas.dot_y(y_range.share(*plot.line)) / canvas.dots_y)
      return line.add_cell(style.unicode ? "╌" : "-", TextLine::dim);
    for (const double mark : plot.marks)
      if (x == canvas.dot_x(Range{plot.x_from, plot.x_to}.share(mark)) / canvas.dots_x)
        return line.add_cell(style.unicode ? "┊" : ":", TextLine::dim);
    line.add_cell(" ");
  }

  std::string x_axis() const {
    const std::string from = number_text(plot.x_from), to = number_text(plot.x_to);
    const int between =
        std::max(1, style.width - label_width - 2 - static_cast<int>(from.size() + to.size()));
    TextLine line(style.width, style.color);
    line.add(fmt::format("{:{}}{}{:{}}{}", "", label_width + 2, from, "", between, to));
    return line.padded();
  }
};

}  // namespace

std::vector<std::string> draw(const Plot& plot, const PlotStyle& style) {
  const int height = std::max(0, style.height), width = std::max(0, style.width);
  if (height < 4 || width < 20)
    return std::vector<std::string>(static_cast<size_t>(height),
                                    std::string(static_cast<size_t>(width), ' '));
  const Painter painter{plot, style};
  Canvas canvas(width - label_width - 2, height - 2, !painter.marks);
  for (size_t i = 0; i < plot.curves.size(); ++i) draw_curve(canvas, plot, painter.y_range, i);
  std::vector<std::string> lines = {painter.title()};
  for (int y = 0; y < canvas.rows; ++y) lines.push_back(painter.row(canvas, y));
  lines.push_back(painter.x_axis());
  return lines;
}

}  // namespace eb::tools
