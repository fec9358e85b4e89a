#include "data/order.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "kernels/philox.h"

namespace eb::data {
using kernels::Stream;

// Fisher-Yates; one Philox block serves four positions.
static Ids permuted(Ids ids, uint64_t seed, Stream stream, int64_t epoch) {
  kernels::Philox4 words{};
  uint64_t block = 0;
  int used = 4;
  for (size_t i = ids.size(); i > 1; --i) {
    if (used == 4) {
      words = kernels::philox(seed, stream, static_cast<uint32_t>(epoch), block++);
      used = 0;
    }
    std::swap(ids[i - 1], ids[kernels::below(words[used++], static_cast<uint32_t>(i))]);
  }
  return ids;
}

Ids shuffled(Ids ids, uint64_t seed, int64_t epoch) {
  return permuted(std::move(ids), seed, Stream::shuffle, epoch);
}

HoldoutSplit split_holdout(int64_t samples, int64_t holdout, uint64_t seed) {
  if (holdout >= samples)
    throw Error(errors::holdout_too_large,
                "data.holdout sets " + std::to_string(holdout) + " images aside, but there are only " +
                    std::to_string(samples) + " to train on",
                "set data.holdout lower, or to 0");
  Ids all(samples);
  std::iota(all.begin(), all.end(), 0);
  if (holdout > 0) all = permuted(std::move(all), seed, Stream::split, 0);
  HoldoutSplit s{{all.begin() + holdout, all.end()}, {all.begin(), all.begin() + holdout}};
  std::sort(s.train.begin(), s.train.end());
  std::sort(s.holdout.begin(), s.holdout.end());
  return s;
}

int64_t stand_in(const Ids& ids, int64_t bad_id, int attempt, uint64_t seed) {
  const auto words = kernels::philox(seed, Stream::bad_sample, static_cast<uint32_t>(attempt),
                                     static_cast<uint64_t>(bad_id));
  return ids[kernels::below(words[0], static_cast<uint32_t>(ids.size()))];
}

}  // namespace eb::data
