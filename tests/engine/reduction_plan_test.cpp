// Shards, ranks and buckets: whatever the number of ranks, the brackets of the sum are those of the tree.
#include "engine/train/reduction_plan.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>
#include <string>

namespace eb::engine {
namespace {

int64_t split_of(const Range& r) {
  return r.first + static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(r.size() - 1)));
}

std::string bracket(const std::string& left, const std::string& right) {
  return "(" + left + "+" + right + ")";
}

// The definition, with leaves by name.
std::string tree(const std::vector<std::string>& leaves, const Range& r) {
  if (r.size() == 1) return leaves[r.first];
  const int64_t split = split_of(r);
  return bracket(tree(leaves, {r.first, split}), tree(leaves, {split, r.last}));
}
std::string tree(const std::vector<std::string>& leaves) {
  return tree(leaves, {0, static_cast<int64_t>(leaves.size())});
}

void collect(const Range& r, std::set<std::pair<int64_t, int64_t>>& nodes) {
  nodes.insert({r.first, r.last});
  if (r.size() == 1) return;
  collect({r.first, split_of(r)}, nodes);
  collect({split_of(r), r.last}, nodes);
}

std::vector<std::string> names(const Range& r) {
  std::vector<std::string> all;
  for (int64_t i = r.first; i < r.last; ++i) all.push_back(std::to_string(i));
  return all;
}

// What a rank does with its shards: the arena, and the sums that wait at levels.
std::string sum_of(const std::vector<std::string>& shards) {
  const std::vector<Merges> schedule = merge_schedule(static_cast<int64_t>(shards.size()));
  EXPECT_EQ(schedule.size(), shards.size());
  std::vector<std::string> kept(16);
  std::string arena;
  for (size_t i = 0; i < shards.size(); ++i) {
    arena = shards[i];
    for (const int level : schedule[i].levels) {
      EXPECT_NE(kept[level], "") << "nothing waits at level " << level;
      arena = bracket(kept[level], arena);
      kept[level].clear();
    }
    EXPECT_EQ(schedule[i].keep < 0, i + 1 == shards.size());
    if (schedule[i].keep < 0) continue;
    EXPECT_EQ(kept[schedule[i].keep], "") << "overwritten at level " << schedule[i].keep;
    kept[schedule[i].keep] = arena;
  }
  for (const std::string& rest : kept) EXPECT_EQ(rest, "");
  return arena;
}

// As many shards each, so that no rank waits for another.
TEST(ReductionPlan, ranks_are_allowed_where_their_shards_are_nodes_of_the_tree) {
  for (int64_t shards = 1; shards <= 33; ++shards) {
    std::set<std::pair<int64_t, int64_t>> nodes;
    collect({0, shards}, nodes);
    std::vector<int64_t> allowed;
    for (int64_t ranks = 1; ranks <= shards; ++ranks) {
      bool all = true;
      int64_t next = 0;
      for (int64_t rank = 0; rank < ranks; ++rank) {
        const Range r = shards_of_rank(rank, ranks, shards);
        EXPECT_EQ(r.first, next);
        next = r.last;
        all = all && nodes.contains({r.first, r.last}) && r.size() * ranks == shards;
      }
      EXPECT_EQ(next, shards);
      EXPECT_EQ(ranks_allowed(ranks, shards), all) << ranks << " ranks, " << shards << " shards";
      if (all) allowed.push_back(ranks);
    }
    EXPECT_EQ(allowed_ranks(shards), allowed);
    for (const int64_t none : {int64_t{-1}, int64_t{0}, shards + 1, 2 * shards})
      EXPECT_FALSE(ranks_allowed(none, shards));
  }
  EXPECT_EQ(allowed_ranks(8), (std::vector<int64_t>{1, 2, 4, 8}));
  EXPECT_EQ(allowed_ranks(12), (std::vector<int64_t>{1, 3, 6, 12}));
}

TEST(ReductionPlan, the_brackets_of_a_sum_do_not_depend_on_the_number_of_ranks) {
  for (int64_t shards = 1; shards <= 33; ++shards) {
    const std::string want = tree(names({0, shards}));
    for (const int64_t ranks : allowed_ranks(shards)) {
      std::vector<std::string> partial;
      for (int64_t rank = 0; rank < ranks; ++rank)
        partial.push_back(sum_of(names(shards_of_rank(rank, ranks, shards))));
      EXPECT_EQ(tree(partial), want) << shards << " shards on " << ranks;
    }
  }
  EXPECT_EQ(tree(names({0, 6})), "(((0+1)+(2+3))+(4+5))");
}

TEST(ReductionPlan, as_few_sums_wait_as_the_tree_is_deep) {
  for (int64_t shards = 1; shards <= 64; ++shards)
    for (const Merges& m : merge_schedule(shards))
      EXPECT_LT(m.keep, static_cast<int>(std::bit_width(static_cast<uint64_t>(shards - 1)))) << shards;
}

TEST(ReductionPlan, every_sample_is_in_one_shard) {
  for (const int64_t shards : {1, 3, 8, 33})
    for (int64_t n = 0; n <= 70; ++n) {
      int64_t next = 0;
      for (int64_t shard = 0; shard < shards; ++shard) {
        const Range r = positions_of_shard(shard, shards, n);
        EXPECT_EQ(r.first, next);
        EXPECT_LE(std::abs(r.size() * shards - n), shards - 1) << "shards differ by one sample";
        next = r.last;
      }
      EXPECT_EQ(next, n);
    }
}

TEST(ReductionPlan, every_float_is_in_one_slice_of_one_bucket) {
  constexpr int64_t mib = int64_t{1} << 20;
  for (const int64_t ranks : {1, 2, 3, 4, 7, 8, 32, 33})
    for (const int64_t wanted : {0, 1, 16, 17, 1000, 99999, 262144, 262145, 3000000})
      for (const int64_t bytes : {int64_t{1}, int64_t{4096}, mib, 16 * mib}) {
        const int64_t floats = padded_length(wanted, ranks), unit = 16 * ranks;
        EXPECT_GE(floats, wanted);
        EXPECT_LT(floats, wanted + unit);
        EXPECT_EQ(floats % unit, 0);
        const std::vector<Range> buckets = make_buckets(floats, ranks, bytes);
        int64_t end = floats;
        for (const Range& b : buckets) {
          ASSERT_EQ(b.last, end) << "from the end to the start, without gaps";
          ASSERT_GT(b.size(), 0);
          ASSERT_EQ(b.size() % unit, 0);
          ASSERT_LE(b.size(), std::max(unit, bytes / 4));
          end = b.first;
        }
        EXPECT_EQ(end, 0);
        EXPECT_EQ(buckets.empty(), floats == 0);
        const int64_t last = floats ? buckets.back().size() : 0;
        EXPECT_LE(last, std::max(unit, mib / 4));
      }
}

TEST(ReductionPlan, large_buckets_where_there_is_something_to_compute) {
  const std::vector<Range> buckets = make_buckets(10 * 262144, 4, int64_t{4} << 20);
  EXPECT_EQ(buckets,
            (std::vector<Range>{
                {6 * 262144, 10 * 262144}, {2 * 262144, 6 * 262144}, {262144, 2 * 262144}, {0, 262144}}));
}

}  // namespace
}  // namespace eb::engine
