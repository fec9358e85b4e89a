// In which order the threads of a block run and when asynchronous copies land: what a GPU leaves open, drawn
// from a seed. Seeds 0 to 3 are the four orders; larger seeds mix them with other moments for the copies.
#pragma once
#include <cstdint>

namespace eb::kernels::emulated {

struct Schedule {
  enum class Order : uint8_t {
    in_order,  // round robin
    greedy,    // one warp as far ahead of the others as barriers allow
    reversed,  // round robin from the last thread
    random
  };
  enum class Copies : uint8_t { at_wait, at_issue, random };
  Order order = Order::in_order;
  Copies copies = Copies::at_wait;
  uint64_t seed = 0;
};

Schedule schedule_of(uint64_t seed);
Schedule current_schedule();
void set_schedule(uint64_t seed);  // for all launches from now on

// splitmix64: small, and the same on every platform.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next();
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(((next() >> 32) * n) >> 32); }

 private:
  uint64_t state_;
};

}  // namespace eb::kernels::emulated
