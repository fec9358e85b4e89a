// The masks of one watched ratio in a report, and which of them the detector compared.
#pragma once
#include <optional>
#include <vector>

#include "tools/report/gather/report.h"

namespace eb::tools::page {

struct MaskDistances {
  double bits = 0;
  std::vector<double> epochs;      // of each mask
  std::vector<double> differing_;  // (n, n)
  double differing(size_t i, size_t j) const { return differing_[i * epochs.size() + j]; }
  double distance(size_t i, size_t j) const { return differing(i, j) / bits; }
};
// No masks if bits, epochs and differing do not fit together.
MaskDistances mask_distances(const RatioReport& ratio);

struct Comparison {
  size_t older, newer;
};
// What the detector compared when it saw mask `at`, oldest first.
std::vector<Comparison> comparisons(const SearchReport& search, size_t at);
std::optional<Comparison> largest(const MaskDistances& masks, const std::vector<Comparison>& of);
bool compares_neighbours(const SearchReport& search);
// Masks in the window; 0 if unknown.
int window_of(const SearchReport& search);
// Index of the mask at which the ticket emerged.
std::optional<size_t> emergence(const RatioReport& ratio, const MaskDistances& masks);
bool is_drawn(const SearchReport& search, const RatioReport& ratio);
// The ratio that was drawn, else the first that emerged, else the first.
const RatioReport* ratio_to_explain(const SearchReport& search);

}  // namespace eb::tools::page
