// The plan cache is bounded, drops the least recently used plan, and never takes one from its user.
#include "kernels/cpu/onednn.h"

#include <gtest/gtest.h>

namespace eb::kernels::cpu {
namespace {

using Cache = PlanCache<int64_t>;

TEST(PlanCache, makes_a_plan_once) {
  Cache cache;
  int made = 0;
  const auto make = [&] { return ++made; };
  EXPECT_EQ(*cache.get({1, 2}, make), 1);
  EXPECT_EQ(*cache.get({1, 2}, make), 1);
  EXPECT_EQ(*cache.get({2, 1}, make), 2);
}

TEST(PlanCache, is_bounded_and_drops_the_least_recently_used) {
  Cache cache;
  const auto get = [&](int64_t key, int64_t value) { return cache.get({key}, [&] { return value; }); };
  const auto held = get(0, 0);
  const int64_t capacity = Cache::capacity;
  for (int64_t i = 1; i < capacity; ++i) get(i, i);
  get(1, -1);            // 1 is used again, 0 and then 2 are now the oldest
  get(capacity, 0);      // drops 0
  get(capacity + 1, 0);  // drops 2
  EXPECT_EQ(cache.size(), Cache::capacity);
  EXPECT_EQ(*held, 0);
  EXPECT_EQ(*get(1, -1), 1);
  EXPECT_EQ(*get(3, -1), 3);
  EXPECT_EQ(*get(2, -1), -1);
  EXPECT_EQ(*get(0, -1), -1);
}

}  // namespace
}  // namespace eb::kernels::cpu
