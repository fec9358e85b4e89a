#include "tools/record/numbers.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace eb::tools::page {

static const std::string space = "\u00a0";

Number share(Number part, Number whole) {
  if (!part || !whole || *whole == 0) return std::nullopt;
  return *part / *whole;
}

std::string not_measured() {
  return "<span class=\"none\">not measured</span>";
}

bool is_whole(double n) {
  return std::abs(n) < 9e15 && n == std::floor(n);
}

static std::string grouped(double n) {
  if (std::abs(n) >= 9e15) return fmt::format("{:.3g}", n);
  std::string digits = fmt::format("{}", std::llround(std::abs(n)));
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return (std::llround(n) < 0 ? "−" : "") + digits;
}

std::string epochs(double n) {
  return is_whole(n) ? grouped(n) : fmt::format("{:.{}f}", n, std::abs(n) < 100 ? 2 : 1);
}

std::string at_epoch(double n) {
  return is_whole(n) ? "epoch " + grouped(n) : epochs(n) + space + "ep";
}

std::string counted(double n, const char* noun) {
  return grouped(n) + " " + noun + (n == 1 ? "" : "s");
}

std::string count(Number n) {
  return n ? grouped(*n) : not_measured();
}

std::string percent(Number share, int decimals) {
  return share ? fmt::format("{:.{}f}", 100 * *share, decimals) + space + "%" : not_measured();
}

// Three digits: 1.23, 12.3, 123.
static std::string three_digits(double n) {
  const int decimals = n < 9.995 ? 2 : n < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}", n, decimals);
}

using Prefixes = std::array<const char*, 7>;

static Unit unit_of(double largest, double base, const Prefixes& prefixes, const char* unit) {
  double size = 1;
  size_t step = 0;
  while (largest / size >= base * 0.9995 && step + 1 < prefixes.size()) size *= base, ++step;
  return {size, std::string(prefixes[step]) + unit};
}

static std::string in_unit(double n, const Unit& unit) {
  const double scaled = n / unit.size;
  const bool exact = (unit.size == 1 && is_whole(n)) || scaled >= 999.5;
  return (exact ? grouped(scaled) : three_digits(scaled)) + space + unit.name;
}

Unit metric_unit(double largest, const char* unit) {
  return unit_of(largest, 1000, {"", "k", "M", "G", "T", "P", "E"}, unit);
}

std::string metric(Number n, const char* unit, Number like) {
  return n ? in_unit(*n, metric_unit(like.value_or(*n), unit)) : not_measured();
}

std::string bytes(Number n) {
  if (!n) return not_measured();
  return in_unit(*n, unit_of(*n, 1024, {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"}, "B"));
}

// "21 min 05 s", "5 s"
static std::string in_sixtieths(long long n, const char* whole, const char* sixtieth) {
  const std::string large = n < 60 ? "" : fmt::format("{}{}{} ", n / 60, space, whole);
  return large + fmt::format(fmt::runtime(n < 60 ? "{}" : "{:02}"), n % 60) + space + sixtieth;
}

std::string duration(Number seconds, Number like) {
  if (!seconds) return not_measured();
  const double shown = like.value_or(*seconds);
  if (shown < 59.95) return three_digits(*seconds) + space + "s";
  const long long s = std::llround(*seconds);
  return std::llround(shown) < 3600 ? in_sixtieths(s, "min", "s") : in_sixtieths(s / 60, "h", "min");
}

std::string energy(Number joules) {
  if (!joules) return not_measured();
  return grouped(*joules) + space + "J (" + fmt::format("{:.3g}", *joules / 3.6e6) + space + "kWh)";
}

std::string times(Number factor) {
  return factor ? fmt::format("{:.2f}×", *factor) : not_measured();
}

std::string decimal(Number n, int decimals) {
  return n ? fmt::format("{:.{}f}", *n, decimals) : not_measured();
}

std::string brief(double n) {
  return fmt::format("{:g}", n);
}

}  // namespace eb::tools::page
