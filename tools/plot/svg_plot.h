// Line plots and scatter plots as inline SVG, with an HTML legend above where it is needed. Colours are CSS
// classes (style.h), so that they follow light, dark and print. All texts of these structs are plain: they
// are escaped here.
#pragma once
#include <string>
#include <vector>

#include "tools/record/numbers.h"

namespace eb::tools::page {

struct Series {
  std::string name;
  int color = 1;  // 1..8, see style.h
  bool dashed = false;
  std::vector<double> x;
  std::vector<Number> y;      // one for each x; an empty one interrupts the line
  std::vector<Number> y_std;  // drawn as bars; empty, or one for each x
  bool stairs = false;        // each value holds from the x before: what jumps is drawn as a jump
};
struct PhaseLine {  // where something changed
  double x;
  std::string name;
};
struct Plot {
  std::string title;                     // read aloud in place of the picture
  std::string x_name = "epoch", y_name;  // x counts epochs
  std::vector<Series> series;
  std::vector<PhaseLine> phases;
  Number level;            // a horizontal line, such as a threshold
  std::string level_name;  // in the legend
  Number y_low, y_high;    // ends the y axis at least reaches
  bool log_y = false;      // if all values allow it
  bool percent_y = false;
  bool markers = false;  // a dot on every value, where they are few
};
// "" if there is no value at all.
std::string line_plot(const Plot& plot);

struct ScatterPoint {
  int number;        // written into the point, as in the table beside it
  std::string name;  // in its tooltip
  double x, y;
  Number y_std;  // drawn as a bar
};
struct Scatter {
  std::string title, x_name, y_name;
  std::vector<ScatterPoint> points;
  bool percent_y = true;
};
std::string scatter_plot(const Scatter& scatter);

// Opening tag with what a screen reader says; width and height in user units, `above` of room over y = 0.
std::string svg_open(const std::string& title, const char* css, double width, double height,
                     double above = 0);
// Text at a point; anchor: start, middle or end.
std::string svg_text(double x, double y, const char* anchor, const std::string& plain);
// One legend entry; css: class of its sample.
std::string legend_entry(const std::string& css, const std::string& plain);

}  // namespace eb::tools::page
