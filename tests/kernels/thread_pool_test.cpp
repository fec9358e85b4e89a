#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <ctime>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "kernels/cpu/parallel.h"
#include "support/child.h"
#include "support/values.h"

namespace eb::kernels::cpu {
namespace {

using std::chrono::milliseconds;
using test::ThreadCount;

double cpu_seconds() {
  timespec t;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// A busy thread for every core of the machine and one more, while it lives.
class BusyNeighbours {
 public:
  BusyNeighbours() {
    for (unsigned i = 0; i <= std::thread::hardware_concurrency(); ++i)
      threads_.emplace_back([this] {
        while (!stop_) {
        }
      });
  }
  ~BusyNeighbours() { stop_ = true; }

 private:
  std::atomic<bool> stop_ = false;
  std::vector<std::jthread> threads_;
};

// How often each chunk ran.
std::vector<int> runs(int64_t count) {
  std::vector<std::atomic<int>> done(count);
  parallel_for(count, [&](int64_t i) { ++done[i]; });
  return {done.begin(), done.end()};
}

std::vector<double> partial_sums(int64_t n) {
  std::vector<double> parts(ceil_div(n, chunk_elements));
  parallel_ranges(n, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) parts[begin / chunk_elements] += std::sin(static_cast<double>(i));
  });
  return parts;
}

class ThreadPoolWith : public testing::TestWithParam<int> {
  const ThreadCount threads_{GetParam()};
};

TEST_P(ThreadPoolWith, RunsEveryChunkOnce) {
  for (const int64_t count : {0, 1, 2, 3, 7, 100, 5000}) EXPECT_EQ(runs(count), std::vector<int>(count, 1));
}

TEST_P(ThreadPoolWith, GivesAnIndexToOneThreadAtATime) {
  std::vector<std::atomic<int>> users(GetParam());
  std::atomic<int> wrong = 0;
  for (int repeat = 0; repeat < 100; ++repeat)
    parallel_for(50, [&](int64_t) {
      const int index = thread_index();
      if (index < 0 || index >= GetParam()) return void(++wrong);
      if (++users[index] != 1) ++wrong;
      --users[index];
    });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(thread_index(), 0);
}

TEST_P(ThreadPoolWith, ALoopWithinALoopStaysOnItsThread) {
  std::atomic<int> wrong = 0, inner = 0;
  parallel_for(20, [&](int64_t) {
    const int index = thread_index();
    const auto self = std::this_thread::get_id();
    parallel_for(10, [&](int64_t) {
      ++inner;
      if (thread_index() != 0 || std::this_thread::get_id() != self) ++wrong;
    });
    if (thread_index() != index) ++wrong;
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(inner, 200);
}

TEST_P(ThreadPoolWith, ThrowsWhatTheLowestChunkThrew) {
  for (int repeat = 0; repeat < 20; ++repeat) {
    try {
      parallel_for(40, [](int64_t i) {
        if (i >= 7) throw std::runtime_error(std::to_string(i));
      });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "7");
    }
    EXPECT_EQ(runs(30), std::vector<int>(30, 1));
  }
}

TEST_P(ThreadPoolWith, HasTheSameBitsBesideBusyThreads) {
  const std::vector<double> sums = partial_sums(1 << 20);
  const BusyNeighbours busy;
  EXPECT_EQ(partial_sums(1 << 20), sums);
  const ThreadCount one(1);
  EXPECT_EQ(partial_sums(1 << 20), sums);
}

INSTANTIATE_TEST_SUITE_P(, ThreadPoolWith, testing::Values(1, 2, 3, 16), testing::PrintToStringParamName());

TEST(ThreadPool, TheNumberOfThreadsChangesBetweenLoops) {
  for (int repeat = 0; repeat < 300; ++repeat)
    for (const int threads : {8, 2, 1, 3}) {
      const ThreadCount scope(threads);
      std::atomic<int> wrong = 0;
      parallel_for(12, [&](int64_t) {
        if (thread_index() >= threads) ++wrong;
      });
      ASSERT_EQ(wrong, 0) << threads;
    }
}

TEST(ThreadPool, WhoIsFreeTakesTheOthersChunks) {
  const ThreadCount two(2);
  std::atomic<int> done = 0;
  parallel_for(100, [&](int64_t i) {
    while (i == 0 && done < 99) std::this_thread::yield();  // until the other thread has done all the rest
    ++done;
  });
  EXPECT_EQ(done, 100);
}

TEST(ThreadPool, LoopsOfSeveralThreadsDoNotMix) {
  const ThreadCount four(4);
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> callers;
  for (int caller = 0; caller < 3; ++caller)
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 200; ++repeat)
        if (runs(20) != std::vector<int>(20, 1)) ++wrong;
    });
  callers.clear();
  EXPECT_EQ(wrong, 0);
}

// Its threads did not come along: nobody may wait for them.
TEST(ThreadPool, AForkedChildWorksAlone) {
  const ThreadCount four(4);
  runs(100);
  const int status = run_in_child([] { return runs(100) == std::vector<int>(100, 1) ? 7 : 1; });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(ThreadPool, WaitingThreadsSleep) {
  const ThreadCount four(4);
  runs(100);
  const double before = cpu_seconds();
  std::this_thread::sleep_for(milliseconds(300));
  parallel_for(2, [](int64_t i) { std::this_thread::sleep_for(milliseconds(i * 300)); });
  EXPECT_LT(cpu_seconds() - before, 0.1);
}

}  // namespace
}  // namespace eb::kernels::cpu
