#include "data/survey.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "engine/base/error.h"

namespace eb::data {
namespace {

// Of one image; integers, so that the order of adding does not matter.
struct Facts {
  int width = 0, height = 0;
  uint64_t hash = 0;
  std::array<uint64_t, 3> sum{}, squares{};
  std::string error, warning;
};

Facts facts_of(const Dataset& data, int64_t i) {
  Facts f;
  try {
    const Image image = data.image(i);
    f.width = image.width;
    f.height = image.height;
    f.warning = image.warning;
    f.hash = XXH3_64bits_withSeed(image.rgb.data(), image.bytes(), static_cast<uint64_t>(image.width)) | 1;
    for (size_t k = 0; k < image.rgb.size(); ++k) {
      const uint64_t v = image.rgb[k];
      f.sum[k % 3] += v;
      f.squares[k % 3] += v * v;
    }
  } catch (const Error& e) {
    f.error = e.message();
  }
  return f;
}

// Running totals over the good images.
struct Totals {
  uint64_t pixels = 0;
  std::array<uint64_t, 3> sum{}, squares{};

  void add(const Facts& f) {
    pixels += uint64_t(f.width) * f.height;
    for (int c = 0; c < 3; ++c) {
      sum[c] += f.sum[c];
      squares[c] += f.squares[c];
    }
  }
  void write(Survey& s) const {
    if (pixels == 0) return;
    for (int c = 0; c < 3; ++c) {
      const double mean = double(sum[c]) / double(pixels);
      s.mean[c] = mean / 255;
      s.std[c] = std::sqrt(std::max(0.0, double(squares[c]) / double(pixels) - mean * mean)) / 255;
    }
  }
};

void widen(Survey& s, const Facts& f) {
  const bool first = s.max_width == 0;
  s.min_width = first ? f.width : std::min(s.min_width, f.width);
  s.min_height = first ? f.height : std::min(s.min_height, f.height);
  s.max_width = std::max(s.max_width, f.width);
  s.max_height = std::max(s.max_height, f.height);
}

}  // namespace

Survey survey(const Dataset& data, const Message& message) {
  std::vector<Facts> all(data.size());
  each_sample(
      data.size(), [&](int64_t i) { all[i] = facts_of(data, i); }, "looking at", message);
  Survey s;
  s.samples = data.size();
  s.per_class.assign(data.classes(), 0);
  Totals totals;
  std::unordered_map<uint64_t, int64_t> first;
  for (int64_t i = 0; i < s.samples; ++i) {
    const Facts& f = all[i];
    ++s.per_class[data.label(i)];
    s.hashes.push_back(f.hash);
    if (!f.error.empty()) {
      s.bad.push_back({data.describe(i), f.error});
      continue;
    }
    if (!f.warning.empty()) s.odd.emplace_back(data.describe(i), f.warning);
    widen(s, f);
    totals.add(f);
    const auto [entry, is_new] = first.try_emplace(f.hash, i);
    if (!is_new) s.duplicates.emplace_back(entry->second, i);
  }
  totals.write(s);
  return s;
}

std::vector<int64_t> shared_images(const Survey& a, const Survey& b) {
  const std::unordered_set<uint64_t> known(a.hashes.begin(), a.hashes.end());
  std::vector<int64_t> shared;
  for (size_t i = 0; i < b.hashes.size(); ++i)
    if (b.hashes[i] != 0 && known.count(b.hashes[i])) shared.push_back(static_cast<int64_t>(i));
  return shared;
}

}  // namespace eb::data
