// Shuffling and splitting.
#include "data/order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "support/error_code.h"

using namespace eb::data;

static Ids range(int64_t n) {
  Ids ids(n);
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

TEST(Order, shuffle_is_a_permutation_named_by_seed_and_epoch) {
  const Ids ids = range(1001), a = shuffled(ids, 1, 0);
  EXPECT_EQ(a, shuffled(ids, 1, 0));
  EXPECT_NE(a, shuffled(ids, 1, 1));
  EXPECT_NE(a, shuffled(ids, 2, 0));
  Ids sorted = a;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted, ids);
  EXPECT_TRUE(shuffled({}, 1, 0).empty());
}

// Each of the 24 orders of four, within five standard deviations of its share.
TEST(Order, shuffle_is_uniform) {
  std::map<Ids, int> seen;
  constexpr int n = 24000;
  for (int epoch = 0; epoch < n; ++epoch) ++seen[shuffled(range(4), 9, epoch)];
  EXPECT_EQ(seen.size(), 24u);
  for (const auto& [order, count] : seen) EXPECT_NEAR(count, 1000, 5 * 31);
}

TEST(Order, holdout_splits_without_loss) {
  const HoldoutSplit s = split_holdout(100, 15, 3);
  EXPECT_EQ(s.train.size(), 85u);
  EXPECT_EQ(s.holdout.size(), 15u);
  EXPECT_TRUE(std::is_sorted(s.holdout.begin(), s.holdout.end()));
  Ids all(100);
  std::merge(s.train.begin(), s.train.end(), s.holdout.begin(), s.holdout.end(), all.begin());
  EXPECT_EQ(all, range(100));
  EXPECT_NE(s.holdout, split_holdout(100, 15, 4).holdout);
  EXPECT_EQ(split_holdout(100, 0, 3).train, range(100));
  EXPECT_EQ(eb::test::code_of([] { split_holdout(100, 100, 3); }), 3031);
}

TEST(Order, stand_in_is_one_of_the_ids) {
  const Ids ids = {4, 8, 15};
  std::set<int64_t> seen;
  for (int attempt = 0; attempt < 100; ++attempt) seen.insert(stand_in(ids, 8, attempt, 1));
  EXPECT_EQ(seen, (std::set<int64_t>{4, 8, 15}));
  EXPECT_EQ(stand_in(ids, 8, 0, 1), stand_in(ids, 8, 0, 1));
}
