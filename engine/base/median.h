// The median, for measurements.
#pragma once
#include <algorithm>
#include <vector>

namespace eb::engine {

// Of at least one value; between the middle two of an even number.
inline double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.size() % 2 ? v[v.size() / 2] : (v[v.size() / 2 - 1] + v[v.size() / 2]) / 2;
}

}  // namespace eb::engine
