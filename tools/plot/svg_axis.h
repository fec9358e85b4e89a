// One axis of a plot: values to user units of the SVG, and round values for its ticks.
#pragma once
#include <string>
#include <vector>

namespace eb::tools::page {

struct Axis {
  double low = 0, high = 1;  // values at the two ends
  double from = 0, to = 1;   // where the ends lie, in user units
  bool log = false;
  bool whole = false;         // there is nothing to say between whole numbers, such as epochs
  double at(double v) const;  // clamped to the ends
  // About `most` round values between the ends, ascending.
  std::vector<double> ticks(int most) const;
};

// An axis over [low, high], widened to round ends; equal ends are pulled apart.
Axis round_axis(double low, double high, int most);
// From power of ten to power of ten. low > 0.
Axis log_axis(double low, double high);
// A coordinate with at most one decimal: what the eye can see, and half the size of a page.
std::string px(double v);

}  // namespace eb::tools::page
