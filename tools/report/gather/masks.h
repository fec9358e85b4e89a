// The masks of one watched ratio in report.json, and which of them the detector compared.
#pragma once
#include <vector>

#include "tools/record/numbers.h"

namespace eb::tools::page {

struct MaskDistances {
  double bits = 0;
  std::vector<double> epochs;      // of each mask
  std::vector<double> differing_;  // (n, n)
  double differing(size_t i, size_t j) const { return differing_[i * epochs.size() + j]; }
  double distance(size_t i, size_t j) const { return differing(i, j) / bits; }
};
// No masks if bits, epochs and differing do not fit together.
MaskDistances mask_distances(const nlohmann::json& ratio);

struct Comparison {
  size_t older, newer;
};
// What the detector compared when it saw mask `at`, oldest first.
std::vector<Comparison> comparisons(const nlohmann::json& early_bird, size_t at);
std::optional<Comparison> largest(const MaskDistances& masks, const std::vector<Comparison>& of);
// Masks in the window; 0 if unknown.
int window_of(const nlohmann::json& early_bird);
// Index of the mask at which the ticket emerged.
std::optional<size_t> emergence(const nlohmann::json& ratio, const MaskDistances& masks);
bool is_drawn(const nlohmann::json& early_bird, const nlohmann::json& ratio);
// The ratio that was drawn, else the first that emerged, else the first.
const nlohmann::json* ratio_to_explain(const nlohmann::json& early_bird);

}  // namespace eb::tools::page
