#include "tools/plot/svg_axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace eb::tools::page {

double Axis::at(double v) const {
  const double share = log ? std::log(v / low) / std::log(high / low) : (v - low) / (high - low);
  return from + std::clamp(share, 0.0, 1.0) * (to - from);
}

// 1, 2 or 5 times a power of ten, at least `rough`.
static double round_step(double rough) {
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (double factor : {1., 2., 5.})
    if (rough <= factor * power * 1.0001) return factor * power;
  return 10 * power;
}

static std::vector<double> powers_of_ten(double low, double high) {
  std::vector<double> ticks;
  for (double e = std::ceil(std::log10(low) - 1e-9); e <= std::log10(high) + 1e-9; ++e)
    ticks.push_back(std::pow(10, e));
  return ticks;
}

std::vector<double> Axis::ticks(int most) const {
  if (log) return powers_of_ten(low, high);
  double step = round_step((high - low) / most);
  if (whole && high - low >= 1) step = std::max(step, 1.0);  // within one epoch only fractions are left
  std::vector<double> ticks;
  for (double i = std::ceil(low / step - 1e-6); i * step <= high + step * 1e-6; ++i)
    ticks.push_back(i * step + 0.0);  // never -0
  return ticks;
}

Axis round_axis(double low, double high, int most) {
  if (high <= low) {
    const double room = low == 0 ? 1 : std::abs(low) * 0.1;
    low -= room, high += room;
  }
  const double step = round_step((high - low) / most);
  return {std::floor(low / step + 1e-6) * step, std::ceil(high / step - 1e-6) * step, 0, 1, false};
}

Axis log_axis(double low, double high) {
  const double first = std::floor(std::log10(low) + 1e-6), last = std::ceil(std::log10(high) - 1e-6);
  return {std::pow(10, first), std::pow(10, std::max(last, first + 1)), 0, 1, true};
}

std::string px(double v) {
  const double rounded = std::round(v * 10) / 10;
  return fmt::format("{:g}", rounded == 0 ? 0 : rounded);
}

}  // namespace eb::tools::page
