#include "kernels/stopwatch.h"

#include <chrono>

namespace eb::kernels::cpu {

namespace {

double time(const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

const Stopwatch stopwatch{.time = time};

}  // namespace eb::kernels::cpu
