#include "tools/report/gather/masks.h"

#include <algorithm>

#include "pruning/detector.h"

namespace eb::tools::page {

using nlohmann::json;

static std::vector<double> numbers(const json& array) {
  std::vector<double> all;
  for (const json& v : array)
    if (const Number n = number(v)) all.push_back(*n);
  return all;
}

MaskDistances mask_distances(const json& ratio) {
  MaskDistances m{number(ratio, "bits").value_or(0), numbers(list(ratio, "epochs")),
                  numbers(list(ratio, "differing"))};
  const size_t n = m.epochs.size();
  if (m.bits <= 0 || m.differing_.size() != n * n) return {};
  return m;
}

int window_of(const json& eb) {
  return static_cast<int>(std::clamp(number(eb, "window").value_or(0), 0.0, 1000.0));
}

std::vector<Comparison> comparisons(const json& eb, size_t at) {
  const auto before = static_cast<size_t>(std::max(window_of(eb) - 1, 0));
  const bool consecutive =
      text(eb, "compare") == engine::name_of(pruning::EarlyBirdDetector::Compare::consecutive);
  std::vector<Comparison> all;
  for (size_t i = at - std::min(at, before); i < at; ++i) all.push_back({i, consecutive ? i + 1 : at});
  return all;
}

std::optional<Comparison> largest(const MaskDistances& m, const std::vector<Comparison>& of) {
  const auto by_distance = [&](const Comparison& a, const Comparison& b) {
    return m.differing(a.older, a.newer) < m.differing(b.older, b.newer);
  };
  const auto found = std::max_element(of.begin(), of.end(), by_distance);
  return found == of.end() ? std::nullopt : std::optional(*found);
}

std::optional<size_t> emergence(const json& ratio, const MaskDistances& m) {
  const Number epoch = number(ratio, "emerged_epoch");
  const auto found = epoch ? std::find(m.epochs.begin(), m.epochs.end(), *epoch) : m.epochs.end();
  if (found == m.epochs.end()) return std::nullopt;
  return static_cast<size_t>(found - m.epochs.begin());
}

bool is_drawn(const json& eb, const json& ratio) {
  const Number drawn = number(value(eb, "draw"), "ratio");
  return drawn && drawn == number(ratio, "ratio");
}

const json* ratio_to_explain(const json& eb) {
  const json& ratios = list(eb, "ratios");
  for (const json& r : ratios)
    if (is_drawn(eb, r)) return &r;
  for (const json& r : ratios)
    if (number(r, "emerged_epoch")) return &r;
  return ratios.empty() ? nullptr : &ratios[0];
}

}  // namespace eb::tools::page
