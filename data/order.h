// Which sample comes when: functions of (seed, epoch) only.
#pragma once
#include <cstdint>
#include <vector>

namespace eb::data {

using Ids = std::vector<int64_t>;

Ids shuffled(Ids ids, uint64_t seed, int64_t epoch);  // Stream::shuffle

struct HoldoutSplit {
  Ids train, holdout;  // each ascending
};
// Error 3031 if nothing would be left to train on.
HoldoutSplit split_holdout(int64_t samples, int64_t holdout, uint64_t seed);  // Stream::split

// The sample that stands in for a bad one, on the given attempt; one of ids.
int64_t stand_in(const Ids& ids, int64_t bad_id, int attempt, uint64_t seed);  // Stream::bad_sample

}  // namespace eb::data
