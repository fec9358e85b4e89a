#include "kernels/emulated/schedule.h"

#include <atomic>

namespace eb::kernels::emulated {

namespace {
std::atomic<uint64_t> current_seed{0};
}

uint64_t Random::next() {
  uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

Schedule schedule_of(uint64_t seed) {
  using Order = Schedule::Order;
  using Copies = Schedule::Copies;
  constexpr Schedule first[] = {{Order::in_order, Copies::at_wait, 0},
                                {Order::greedy, Copies::at_issue, 1},
                                {Order::reversed, Copies::random, 2},
                                {Order::random, Copies::random, 3}};
  if (seed < std::size(first)) return first[seed];
  Random random(seed);
  return {static_cast<Order>(random.below(4)), static_cast<Copies>(random.below(3)), seed};
}

Schedule current_schedule() {
  return schedule_of(current_seed);
}

void set_schedule(uint64_t seed) {
  current_seed = seed;
}

}  // namespace eb::kernels::emulated
