// Reuse, alignment, merging of holes, and what is given back.
#include "engine/tensor/allocator.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "engine/tensor/address_range.h"
#include "kernels/philox.h"

namespace eb::engine {

constexpr size_t mebi = size_t{1} << 20;

TEST(Allocator, blocks_of_every_size_are_aligned_and_apart) {
  std::vector<std::shared_ptr<void>> blocks;
  const size_t sizes[] = {0, 1, 255, 256, 257, 1000, 262079, 262080, 262143, 262144, 262145, 3 * mebi + 7};
  for (size_t size : sizes) {
    blocks.push_back(allocate(size));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(blocks.back().get()) % 64, 0u) << size;
    std::memset(blocks.back().get(), static_cast<int>(blocks.size()), size);
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    const auto* bytes = static_cast<const unsigned char*>(blocks[i].get());
    for (size_t j = 0; j < sizes[i]; ++j) ASSERT_EQ(bytes[j], i + 1) << "block " << i << " byte " << j;
  }
}

TEST(Allocator, second_round_asks_the_system_for_nothing) {
  const auto round = [] {
    std::vector<std::shared_ptr<void>> saved;
    for (size_t i = 1; i < 30; ++i) saved.push_back(allocate(i * 100'000));
    while (!saved.empty()) {
      const auto gradient = allocate(saved.size() * 100'000);
      saved.pop_back();
    }
  };
  round();
  const AllocatorStats before = allocator_stats();
  round();
  EXPECT_EQ(allocator_stats().system_allocations, before.system_allocations);
  EXPECT_EQ(allocator_stats().in_use, before.in_use);
  EXPECT_EQ(allocator_stats().cached, before.cached);
}

TEST(Allocator, counts_bytes_in_use_and_their_peak) {
  reset_allocator_peak();
  const size_t before = allocator_stats().in_use;
  {
    const auto a = allocate(2 * mebi), b = allocate(1000);
    EXPECT_EQ(allocator_stats().in_use, before + 2 * mebi + 1024);
  }
  EXPECT_EQ(allocator_stats().in_use, before);
  EXPECT_EQ(allocator_stats().peak, before + 2 * mebi + 1024);
  reset_allocator_peak();
  EXPECT_EQ(allocator_stats().peak, before);
}

TEST(Allocator, trim_gives_the_cache_back) {
  { const auto block = allocate(64 * mebi), small = allocate(10'000); }
  EXPECT_GE(allocator_stats().cached, 64 * mebi);
  trim_allocator();
  EXPECT_LT(allocator_stats().cached, 4 * mebi);
  const auto again = allocate(64 * mebi);
  std::memset(again.get(), 1, 64 * mebi);
}

TEST(Allocator, threads_do_not_share_blocks) {
  const auto work = [](uint32_t seed) {
    std::vector<std::pair<std::shared_ptr<void>, size_t>> mine;
    for (uint32_t i = 0; i < 400; ++i) {
      const auto r = kernels::philox({i, seed, 0, 0}, 1, 2);
      const size_t size = 1 + kernels::below(r[0], r[1] & 1 ? 1000 : 600'000);
      mine.emplace_back(allocate(size), size);
      std::memset(mine.back().first.get(), static_cast<int>(seed), size);
      if (mine.size() < 8) continue;
      const size_t victim = kernels::below(r[2], 8);
      const auto* bytes = static_cast<const unsigned char*>(mine[victim].first.get());
      for (size_t j = 0; j < mine[victim].second; ++j) ASSERT_EQ(bytes[j], seed);
      mine.erase(mine.begin() + static_cast<std::ptrdiff_t>(victim));
    }
  };
  std::thread a(work, 1), b(work, 2), c(work, 3);
  a.join(), b.join(), c.join();
}

TEST(AddressRange, reverse_order_leaves_one_hole) {
  AddressRange range;
  std::vector<void*> blocks;
  for (size_t i = 1; i <= 8; ++i) blocks.push_back(range.take(i * mebi));
  EXPECT_EQ(range.in_use(), 36 * mebi);
  EXPECT_EQ(range.usable(), 36 * mebi);
  // Temporaries as large as the largest block fit where freed ones of other sizes were.
  range.give(blocks[7], 8 * mebi);
  range.give(blocks[6], 7 * mebi);
  void* temporary = range.take(15 * mebi);
  EXPECT_EQ(temporary, blocks[6]);
  EXPECT_EQ(range.usable(), 36 * mebi);
  EXPECT_EQ(range.growths(), 8u);
}

TEST(AddressRange, neighbours_merge_in_any_order_of_freeing) {
  const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (const auto& order : orders) {
    AddressRange range;
    void* blocks[3];
    for (void*& block : blocks) block = range.take(mebi);
    void* fence = range.take(64);
    for (int i : order) range.give(blocks[i], mebi);
    EXPECT_EQ(range.take(3 * mebi), blocks[0]);
    EXPECT_NE(fence, nullptr);
  }
}

TEST(AddressRange, trim_keeps_blocks_and_their_contents) {
  AddressRange range;
  void *a = range.take(4 * mebi), *b = range.take(64), *c = range.take(4 * mebi);
  std::memset(a, 1, 4 * mebi);
  std::memset(b, 2, 64);
  std::memset(c, 3, 4 * mebi);
  range.give(a, 4 * mebi);
  range.give(c, 4 * mebi);
  range.trim();
  EXPECT_EQ(range.usable(), 6 * mebi);  // whole huge pages up to the end of b
  EXPECT_EQ(static_cast<char*>(b)[0], 2);
  EXPECT_EQ(static_cast<char*>(b)[63], 2);
  void* again = range.take(4 * mebi);
  EXPECT_EQ(again, a);
  EXPECT_EQ(static_cast<char*>(again)[mebi], 0) << "the old page was kept";
  std::memset(range.take(8 * mebi), 4, 8 * mebi);
}

}  // namespace eb::engine
