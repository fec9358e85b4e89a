// What is in a data set: counts, sizes and colours, damage and duplicates. Every image is decoded once, on
// all cores.
#pragma once
#include <array>
#include <utility>

#include "data/dataset.h"
#include "data/each_sample.h"

namespace eb::data {

struct BadSample {
  std::string sample, error;
};

struct Survey {
  int64_t samples = 0;
  std::vector<int64_t> per_class;
  int min_width = 0, max_width = 0, min_height = 0, max_height = 0;
  std::array<double, 3> mean{}, std{};  // over all pixels, in 0..1, R G B
  std::vector<BadSample> bad;  // in order; not part of the numbers above except samples and per_class
  std::vector<std::pair<std::string, std::string>> odd;  // in order: sample, and what its decoder warned of
  std::vector<std::pair<int64_t, int64_t>> duplicates;   // (first, later) with the same pixels
  std::vector<uint64_t> hashes;                          // of each image's size and pixels; 0 for a bad one
};

Survey survey(const Dataset& data, const Message& message = {});

// Ids of `b` whose pixels also occur in `a`: test images that a network has been trained on.
std::vector<int64_t> shared_images(const Survey& a, const Survey& b);

}  // namespace eb::data
