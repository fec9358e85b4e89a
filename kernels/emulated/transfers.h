// The mbarriers of a block and the bulk copies that report to them. A copy lands when the schedule says: at
// issue, at a random moment, or only when no thread can go on without it.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <source_location>
#include <string>
#include <vector>

namespace eb::kernels::emulated {

class Block;
struct Lane;
using Where = std::source_location;

class Transfers {
 public:
  explicit Transfers(Block& block) : block_(block) {}

  void init(uint64_t* barrier, unsigned arrivals, Where where);
  void arrive(uint64_t* barrier, int64_t expected_bytes, Where where);
  void wait(uint64_t* barrier, unsigned parity, Where where);  // suspends the calling thread
  // Runs copy() at some time and then counts `bytes` at the barrier.
  void start(uint64_t* barrier, int64_t bytes, std::function<void()> copy, Where where);

  bool land_one();  // false if nothing is under way
  bool under_way() const { return !copies_.empty(); }
  std::string unfinished_phases() const;  // for the deadlock message

 private:
  struct Barrier {
    unsigned arrivals = 0, pending = 0, phase = 0;
    int64_t bytes = 0;  // expected less landed
    std::vector<Lane*> waiting;
  };
  struct Copy {
    Barrier* barrier;
    int64_t bytes;
    std::function<void()> copy;
  };

  void check_place(uint64_t* barrier, const char* operation, Where where) const;
  Barrier& find(uint64_t* barrier, const char* operation, Where where);
  void end_phase_if_complete(Barrier& b);
  void land(const Copy& c);

  Block& block_;
  std::map<uint64_t*, Barrier> barriers_;
  std::vector<Copy> copies_;
};

}  // namespace eb::kernels::emulated
