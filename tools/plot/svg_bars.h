// Bars as inline SVG. All texts of these structs are plain: they are escaped here.
#pragma once
#include <string>
#include <vector>

#include "tools/record/numbers.h"

namespace eb::tools::page {

struct StackedBar {
  std::string name;
  std::vector<Number> parts;  // seconds, in the order of the legend
};
// One horizontal bar for each, on one common axis; "" if nothing was measured.
std::string stacked_bars(const std::string& title, const std::vector<std::string>& parts,
                         const std::vector<StackedBar>& bars);

struct ShareBar {
  std::string name;  // of the layer
  std::string tooltip;
  double share;  // kept, 0..1
  bool marked;   // held up
  Number group;  // bars of one group are tied together by a bracket
};
// One row for each, from top to bottom; names and brackets as far as there is room. Any number of bars.
std::string share_bars(const std::string& title, const std::vector<ShareBar>& bars);

}  // namespace eb::tools::page
