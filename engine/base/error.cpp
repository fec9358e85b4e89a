#include "engine/base/error.h"

#include <algorithm>
#include <numeric>

namespace eb {

std::string Error::text() const {
  std::string s = "error[EB" + std::to_string(code_) + "]: " + message_;
  if (!where_.empty()) s += "\n  --> " + where_;
  if (!hint_.empty()) s += "\n  hint: " + hint_;
  return s;
}

// Levenshtein distance in which two swapped neighbours are one mistake ("trian" for "train").
static size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> older(b.size() + 1), old(b.size() + 1), row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    older.swap(old);
    old.swap(row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({old[j] + 1, row[j - 1] + 1, old[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], older[j - 2] + 1);
    }
  }
  return row.back();
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  if (word.size() > 128) return best;
  for (const auto& c : candidates) {
    const size_t d = edit_distance(word, c);
    if (d < best_distance) best_distance = d, best = c;
  }
  return best;
}

}  // namespace eb
