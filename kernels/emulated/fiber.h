// A stackful coroutine on Boost.Context with a pooled, guarded stack, telling AddressSanitizer of each
// switch.
#pragma once
#include <boost/context/fiber.hpp>
#include <cstddef>
#include <functional>

namespace eb::kernels::emulated {

class Fiber {
 public:
  Fiber() = default;
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  struct Cancelled {};  // thrown out of suspend() to unwind a cancelled fiber's frames

  // body begins with the first resume(); it may let Cancelled pass and nothing else.
  void start(std::function<void()> body);
  void resume();   // runs until the fiber suspends or ends; called from outside
  void suspend();  // called by the fiber itself
  void cancel();   // unwinds an unfinished fiber; called from outside

 private:
  struct Stack;
  void run();

  std::function<void()> body_;
  boost::context::fiber self_, outside_;
  void* stack_bottom_ = nullptr;
  bool ended_ = true, cancelled_ = false;
  // AddressSanitizer's view of the stack that resumed this fiber.
  const void* outside_bottom_ = nullptr;
  size_t outside_size_ = 0;
  void* outside_fake_ = nullptr;
  void* fake_ = nullptr;
};

}  // namespace eb::kernels::emulated
