#include "tools/report/numbers.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace eb::tools::page {

static const std::string space = "\u00a0";

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

static std::string scaled(double n, double base, const std::array<const char*, 7>& prefixes,
                          const char* unit) {
  size_t step = 0;
  while (n >= base * 0.9995 && step + 1 < prefixes.size()) n /= base, ++step;
  const std::string digits = step == 0 && is_whole(n) ? grouped(n) : three_digits(n);
  return digits + space + prefixes[step] + unit;
}

std::string metric(Number n, const char* unit) {
  if (!n) return not_measured();
  return scaled(*n, 1000, {"", "k", "M", "G", "T", "P", "E"}, unit);
}

std::string bytes(Number n) {
  if (!n) return not_measured();
  return scaled(*n, 1024, {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"}, "B");
}

std::string duration(Number seconds) {
  if (!seconds) return not_measured();
  if (*seconds < 59.95) return fmt::format("{}", three_digits(*seconds)) + space + "s";
  const long long s = std::llround(*seconds);
  if (s < 3600) return fmt::format("{}{}min {:02}{}s", s / 60, space, s % 60, space);
  return fmt::format("{}{}h {:02}{}min", s / 3600, space, s / 60 % 60, space);
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
