#include "engine/train/reduction_plan.h"

#include <algorithm>
#include <bit>

namespace eb::engine {

bool ranks_allowed(int64_t ranks, int64_t shards) {
  if (ranks < 1 || shards < 1) return false;
  return ranks == 1 || (shards % ranks == 0 && std::has_single_bit(static_cast<uint64_t>(shards / ranks)));
}

std::vector<int64_t> allowed_ranks(int64_t shards) {
  std::vector<int64_t> allowed;
  for (int64_t ranks = 1; ranks <= shards; ++ranks)
    if (ranks_allowed(ranks, shards)) allowed.push_back(ranks);
  return allowed;
}

Range shards_of_rank(int64_t rank, int64_t ranks, int64_t shards) {
  return {rank * shards / ranks, (rank + 1) * shards / ranks};
}

Range positions_of_shard(int64_t shard, int64_t shards, int64_t n) {
  return {shard * n / shards, (shard + 1) * n / shards};
}

std::vector<Merges> merge_schedule(int64_t shards) {
  std::vector<Merges> schedule(shards);
  for (int64_t i = 0; i < shards; ++i) {
    Merges& m = schedule[i];
    const bool last = i + 1 == shards;
    int level = 0;
    for (; last ? i >> level != 0 : i >> level & 1; ++level)
      if (i >> level & 1) m.levels.push_back(level);
    if (!last) m.keep = level;
  }
  return schedule;
}

int64_t padded_length(int64_t floats, int64_t ranks) {
  const int64_t unit = slice_floats * ranks;
  return (floats + unit - 1) / unit * unit;
}

std::vector<Range> make_buckets(int64_t floats, int64_t ranks, int64_t bucket_bytes) {
  constexpr int64_t last_bytes = int64_t{1} << 20;
  const int64_t unit = slice_floats * ranks;
  const auto whole_units = [&](int64_t bytes) {
    return std::max<int64_t>(1, bytes / static_cast<int64_t>(sizeof(float)) / unit) * unit;
  };
  const int64_t bucket = whole_units(bucket_bytes), start = whole_units(std::min(bucket_bytes, last_bytes));
  std::vector<Range> buckets;
  int64_t end = floats;
  for (; end > start; end = buckets.back().first) buckets.push_back({std::max(start, end - bucket), end});
  if (end > 0) buckets.push_back({0, end});
  return buckets;
}

}  // namespace eb::engine
