#include "tools/plot/svg_thin.h"

#include <algorithm>
#include <set>

namespace eb::tools::page {

// Positions in `series` that have a value.
static std::vector<size_t> values_of(const Series& series) {
  std::vector<size_t> values;
  for (size_t i = 0; i < series.x.size() && i < series.y.size(); ++i)
    if (series.y[i]) values.push_back(i);
  return values;
}

static void add(Series& to, const Series& from, size_t i, Number y) {
  to.x.push_back(from.x[i]);
  to.y.push_back(y);
  if (!from.y_std.empty()) to.y_std.push_back(y && i < from.y_std.size() ? from.y_std[i] : std::nullopt);
}

Series thinned(const Series& series, size_t most) {
  const std::vector<size_t> values = values_of(series);
  if (values.size() <= most) return series;
  Series few{series.name, series.color, series.dashed, {}, {}, {}, series.stairs};
  const auto lower = [&](size_t a, size_t b) { return *series.y[a] < *series.y[b]; };
  const size_t stretches = std::max<size_t>(1, most / 4);
  size_t before = 0;  // position in `values` of the last one kept
  for (size_t i = 0; i < stretches; ++i) {
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(i * values.size() / stretches);
    const auto end = values.begin() + static_cast<std::ptrdiff_t>((i + 1) * values.size() / stretches);
    const auto [low, high] = std::minmax_element(first, end, lower);
    for (const auto kept : std::set{first, low, high, end - 1}) {
      const auto at = static_cast<size_t>(kept - values.begin());
      const bool joined = *kept - values[before] == at - before;  // no value is missing between the two
      if (!joined) add(few, series, *kept - 1, std::nullopt);
      add(few, series, *kept, series.y[*kept]);
      before = at;
    }
  }
  return few;
}

}  // namespace eb::tools::page
