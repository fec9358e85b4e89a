// One warp's share of its warpgroup's asynchronous multiplies (wgmma). An instruction reads shared memory at
// some time between its issue and the wait that covers it; until that wait its registers hold NaNs.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <source_location>
#include <vector>

namespace eb::kernels::emulated {

class Block;
using Where = std::source_location;

// d (64, n) += a (64, k) b (k, n): 16 steps of bf16 to floats, 32 of int8 to int32. a and b are
// shared-memory descriptors.
struct Wgmma {
  uint64_t a, b;
  int n;
  bool a_mn_major, b_mn_major, int8;
  bool operator==(const Wgmma&) const = default;
};

class WarpMultiply {
 public:
  WarpMultiply(Block& block, int warp) : block_(block), quarter_(warp % 4) {}
  using Registers = std::array<uint32_t*, 32>;  // of each lane

  void fence() { fenced_ = true; }
  void issue(const Wgmma& what, const Registers& d, Where where);
  void commit() { ++group_; }
  void wait(int pending_groups, Where where);

  bool run_one();  // the oldest that has not run; false if there is none
  bool under_way() const { return !queue_.empty(); }
  const std::vector<Wgmma>& issued() const { return issued_; }

 private:
  struct Accumulators {
    Registers d;
    int size;                      // registers a lane
    std::vector<uint32_t> values;  // (lane, register)
  };
  struct Instruction {
    Wgmma what;
    std::shared_ptr<Accumulators> to;
    int group;
    Where where;
  };
  std::shared_ptr<Accumulators> accumulators(const Registers& d, int size, Where where);
  void run(const Instruction& i);
  template <class Math>
  void multiply(const Instruction& i);
  void write_back(const Accumulators& a, Where where);

  Block& block_;
  int quarter_;  // rows 16 * quarter_ and on
  bool fenced_ = false;
  int group_ = 0;   // the open one
  size_t ran_ = 0;  // of the queue
  std::deque<Instruction> queue_;
  std::vector<Wgmma> issued_;
};

}  // namespace eb::kernels::emulated
