#include "data/each_sample.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

using eb::data::each_sample;

TEST(EachSample, visits_every_number_once) {
  for (const int64_t n : {0, 1, 2, 1000}) {
    std::vector<std::atomic<int>> seen(n);
    each_sample(n, [&](int64_t i) { ++seen[i]; }, "counting", {});
    for (const auto& count : seen) EXPECT_EQ(count, 1);
  }
}

TEST(EachSample, speaks_from_the_calling_thread_every_two_seconds) {
  std::vector<std::string> said;
  const auto caller = std::this_thread::get_id();
  each_sample(
      1, [](int64_t) { std::this_thread::sleep_for(std::chrono::milliseconds(2300)); }, "decoding",
      [&](const std::string& text) {
        EXPECT_EQ(std::this_thread::get_id(), caller);
        said.push_back(text);
      });
  EXPECT_EQ(said, std::vector<std::string>{"decoding 0 of 1 images"});
}
