#include "tools/report/gather/masks.h"

#include <algorithm>

#include "pruning/detector.h"

namespace eb::tools::page {

MaskDistances mask_distances(const RatioReport& ratio) {
  MaskDistances m{static_cast<double>(ratio.bits.value_or(0)), {}, {}};
  for (const EpochNumber& epoch : ratio.epochs) m.epochs.push_back(epoch.value);
  m.differing_.assign(ratio.differing.begin(), ratio.differing.end());
  const size_t n = m.epochs.size();
  if (m.bits <= 0 || m.differing_.size() != n * n) return {};
  return m;
}

int window_of(const SearchReport& search) {
  return static_cast<int>(std::clamp<int64_t>(search.window.value_or(0), 0, 1000));
}

bool compares_neighbours(const SearchReport& search) {
  return search.compare == engine::name_of(pruning::EarlyBirdDetector::Compare::consecutive);
}

std::vector<Comparison> comparisons(const SearchReport& search, size_t at) {
  const auto before = static_cast<size_t>(std::max(window_of(search) - 1, 0));
  const bool consecutive = compares_neighbours(search);
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

std::optional<size_t> emergence(const RatioReport& ratio, const MaskDistances& m) {
  const Number epoch = ratio.emerged_epoch ? Number(ratio.emerged_epoch->value) : std::nullopt;
  const auto found = epoch ? std::find(m.epochs.begin(), m.epochs.end(), *epoch) : m.epochs.end();
  if (found == m.epochs.end()) return std::nullopt;
  return static_cast<size_t>(found - m.epochs.begin());
}

bool is_drawn(const SearchReport& search, const RatioReport& ratio) {
  return search.draw && search.draw->ratio && search.draw->ratio == ratio.ratio;
}

const RatioReport* ratio_to_explain(const SearchReport& search) {
  for (const RatioReport& r : search.ratios)
    if (is_drawn(search, r)) return &r;
  for (const RatioReport& r : search.ratios)
    if (r.emerged_epoch) return &r;
  return search.ratios.empty() ? nullptr : &search.ratios[0];
}

}  // namespace eb::tools::page
