// Curves drawn with characters: braille dots, or one mark a cell where there is no Unicode, or no colour to
// tell several curves apart. All other text is ASCII, so a byte is a column.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eb::tools {

struct PlotStyle {
  int width = 80, height = 12;  // characters, all of the plot
  bool unicode = true, color = true;
};

struct Curve {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x ascending; a y that is not finite leaves a gap
};

struct Plot {
  std::string title;
  std::vector<Curve> curves;
  std::optional<double> line;  // a horizontal one, for example a threshold
  std::vector<double> marks;   // vertical ones, for example changes of phase
  double x_from = 0, x_to = 1;
};

// `height` lines of `width` columns: title with the newest values, curves with the y axis, x axis. A plot
// less than 4 lines high or 20 columns wide is empty lines.
std::vector<std::string> draw(const Plot& plot, const PlotStyle& style);

// A line of at most `width` columns; what does not fit is left out.
class TextLine {
 public:
  TextLine(int width, bool color) : left_(width), color_(color) {}
  // color: 0 the terminal's own, 1.. that of the curve of this number, dim.
  static constexpr int dim = -1;
  void add(std::string_view ascii, int color = 0);
  void add_cell(std::string_view one_column, int color = 0);
  std::string padded();  // with spaces to the full width

 private:
  void paint(int color);
  std::string text_;
  int left_, now_ = 0;
  bool color_;
};

}  // namespace eb::tools
