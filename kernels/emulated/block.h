// One block of a launch on the calling OS thread: its CUDA threads are fibers, switched by a seeded scheduler
// only where CUDA threads can wait for each other. What a GPU would leave undefined (a divergent barrier, a
// shuffle from an absent lane, a deadlock) is an EmulationError naming kernel, block, thread and source line.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/emulated/fiber.h"
#include "kernels/emulated/schedule.h"
#include "kernels/emulated/transfers.h"
#include "kernels/emulated/warp_multiply.h"

namespace eb::kernels::emulated {

using Where = std::source_location;

struct Index3 {  // CUDA's dim3
  unsigned x = 1, y = 1, z = 1;
  Index3() = default;
  template <class X, class Y = unsigned, class Z = unsigned>
  Index3(X x, Y y = 1, Z z = 1)
      : x(static_cast<unsigned>(x)), y(static_cast<unsigned>(y)), z(static_cast<unsigned>(z)) {}
  uint64_t count() const { return uint64_t{x} * y * z; }
};
Index3 unflatten(uint64_t i, const Index3& extent);
std::string to_string(const Index3& i);

class EmulationError : public std::runtime_error {
  using runtime_error::runtime_error;
};

struct AsyncCopy {
  void* to;
  const void* from;
  unsigned bytes, valid;  // bytes beyond `valid` are zero-filled
};

struct Lane {  // one CUDA thread
  Index3 thread;
  unsigned number = 0;
  Fiber fiber;
  bool done = false;
  const char* waits_for = nullptr;  // null while ready
  Where where;
  std::vector<std::vector<AsyncCopy>> groups = {{}};  // the last one is still open
};

struct BlockShape {
  const char* kernel;
  Index3 grid, index, threads;
  size_t shared_bytes;
};

class Block {
 public:
  Block(const BlockShape& shape, const Schedule& schedule);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  void run(const std::function<void()>& thread_body);

  // What device code sees.
  const Index3& index() const { return shape_.index; }
  const Index3& grid() const { return shape_.grid; }
  const Index3& threads() const { return shape_.threads; }
  int thread_count() const { return static_cast<int>(lanes_.size()); }
  void* shared_memory(size_t bytes, Where where);
  bool owns_shared(const void* p, size_t bytes) const;
  char* shared_base() const { return static_cast<char*>(shared_.get()); }
  size_t shared_bytes() const { return shape_.shared_bytes; }
  size_t shared_offset(const void* p) const { return static_cast<const char*>(p) - shared_base(); }

  void barrier(int id, int count, Where where);
  // The lanes of `mask` meet; the last to arrive runs execute(T* lanes[32]) (null outside the mask) for all.
  template <class T, class F>
  void collective(const char* name, unsigned mask, T& operand, F&& execute, Where where) {
    void** operands = arrive(name, mask, &operand, where);
    if (!operands) return;
    execute(reinterpret_cast<T**>(operands));
    release(name, mask);
  }

  void copy_async(const AsyncCopy& copy, Where where);
  void commit_copies();
  void wait_copies(size_t pending_groups);

  Transfers& transfers() { return transfers_; }
  WarpMultiply& warp_multiply();  // of the calling thread's warp

  // For the units above. Whether the schedule wants an asynchronous operation to act at its issue.
  bool acts_at_issue();
  Random& random() { return random_; }
  void suspend(const char* reason, Where where);
  void wake(Lane& lane);

  [[noreturn]] void fail(const std::string& what, const char* operation, Where where) const;

 private:
  struct Barrier {
    int expected = 0;
    std::vector<Lane*> waiting;
  };
  struct Meeting {  // lanes of one warp on their way into a collective
    const char* name;
    unsigned mask, arrived;
    Where where;
    void* operands[32];
  };

  void** arrive(const char* name, unsigned mask, void* operand, Where where);
  void release(const char* name, unsigned mask);
  Lane* pick();
  void resume(Lane& lane);
  Lane* pick_in_warp(unsigned warp);
  void start(Lane& lane, const std::function<void()>& body);
  void land_some();
  bool land_late();
  void check_finished() const;
  EmulationError deadlock() const;

  BlockShape shape_;
  Schedule schedule_;
  Random random_;
  std::unique_ptr<void, void (*)(void*)> shared_;
  std::vector<Lane> lanes_;
  std::vector<unsigned> ready_;  // a bit per lane, a word per warp
  std::vector<Barrier> barriers_ = std::vector<Barrier>(16);
  std::vector<std::vector<Meeting>> meetings_;  // per warp
  std::vector<Meeting> executing_;
  Transfers transfers_{*this};
  std::vector<WarpMultiply> multiplies_;  // per warp
  unsigned last_ = 0;                     // lane picked before
  size_t done_ = 0;
  std::exception_ptr error_;
};

Lane& lane();    // the running thread
Block& block();  // its block

}  // namespace eb::kernels::emulated
