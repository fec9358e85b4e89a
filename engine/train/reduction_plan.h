// How a batch is cut into shards, which rank computes which, and in what order their gradients are added:
// host arithmetic alone. reduction_tree(n) splits [0, n) at the largest power of two below n, recurses, and
// adds left
// + right. A rank's shards are a node of reduction_tree(shards), so what ranks send each other are the leaves
// of reduction_tree(ranks), and the bits of a sum do not depend on the number of ranks.
#pragma once
#include <cstdint>
#include <vector>

namespace eb::engine {

struct Range {
  int64_t first = 0, last = 0;  // [first, last)
  int64_t size() const { return last - first; }
  bool operator==(const Range&) const = default;
};

// Whether ranks have as many shards each, and these are a node of the tree: one rank, or powers of two.
bool ranks_allowed(int64_t ranks, int64_t shards);
std::vector<int64_t> allowed_ranks(int64_t shards);  // ascending

Range shards_of_rank(int64_t rank, int64_t ranks, int64_t shards);
// Positions of a shard's samples in a batch of n; none where n is small.
Range positions_of_shard(int64_t shard, int64_t shards, int64_t n);

// What happens to a shard's gradients once they are computed: to them are added, one after the other, the
// sums kept at `levels`, each the left operand. Then they are kept at level `keep`, which is free by then:
// level l holds the sum of 2^l shards that waits for its right half. The last shard's are the sum of all.
struct Merges {
  std::vector<int> levels;
  int keep = -1;  // -1: the last shard
};
// Of each of a rank's shards, in the order of reduction_tree(shards): the carries of a binary counter.
std::vector<Merges> merge_schedule(int64_t shards);

// Every rank adds a slice of every bucket, and a slice is whole cache lines.
constexpr int64_t slice_floats = 16;
// Least multiple of 16 * ranks that is no less than `floats`. Padded for as many ranks as there are shards,
// an arena has the same length for any number of ranks.
int64_t padded_length(int64_t floats, int64_t ranks);
// Ranges of an arena of padded_length, from its end to its start, as backward finishes them: at most
// bucket_bytes each (but no less than 16 * ranks floats), the last one, for which nothing is left to compute
// beside it, at most 1 MiB.
std::vector<Range> make_buckets(int64_t floats, int64_t ranks, int64_t bucket_bytes);

}  // namespace eb::engine
