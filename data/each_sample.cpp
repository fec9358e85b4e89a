#include "data/each_sample.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace eb::data {

int available_cores() {
  cpu_set_t mine;
  return sched_getaffinity(0, sizeof mine, &mine) == 0 ? std::max(1, CPU_COUNT(&mine)) : 1;
}

void each_sample(int64_t n, const std::function<void(int64_t)>& f, const std::string& what,
                 const Message& message) {
  using Clock = std::chrono::steady_clock;
  std::atomic<int64_t> next{0}, done{0};
  std::vector<std::jthread> threads;
  for (int t = available_cores(); t > 0; --t)
    threads.emplace_back([&] {
      for (int64_t i; (i = next++) < n; ++done) f(i);
    });
  for (auto said = Clock::now(); message && done < n;
       std::this_thread::sleep_for(std::chrono::milliseconds(5))) {
    if (Clock::now() - said < std::chrono::seconds(2)) continue;
    message(what + " " + std::to_string(done) + " of " + std::to_string(n) + " images");
    said = Clock::now();
  }
}

}  // namespace eb::data
