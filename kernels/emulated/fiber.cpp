#include "kernels/emulated/fiber.h"

#include <sys/mman.h>

#include <new>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace eb::kernels::emulated {

namespace {

// Frames grow several times under the sanitizers.
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t stack_bytes = 256 << 10;
#else
constexpr size_t stack_bytes = 64 << 10;
#endif
constexpr size_t guard_bytes = 4 << 10;

// Stacks of ended fibers wait here: a block needs as many as the one before it.
struct StackPool {
  std::vector<void*> free;
  ~StackPool() {
    for (void* bottom : free) munmap(static_cast<char*>(bottom) - guard_bytes, stack_bytes + guard_bytes);
  }
  void* take() {
    if (!free.empty()) {
      void* bottom = free.back();
      free.pop_back();
      return bottom;
    }
    void* map = mmap(nullptr, stack_bytes + guard_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) throw std::bad_alloc();
    mprotect(map, guard_bytes, PROT_NONE);
    return static_cast<char*>(map) + guard_bytes;
  }
};
thread_local StackPool pool;

#if defined(__SANITIZE_ADDRESS__)
void before_switch(void** fake, const void* bottom, size_t size) {
  __sanitizer_start_switch_fiber(fake, bottom, size);
}
void after_switch(void* fake, const void** bottom, size_t* size) {
  __sanitizer_finish_switch_fiber(fake, bottom, size);
}
void forget_frames(void* bottom) {
  __asan_unpoison_memory_region(bottom, stack_bytes);
}
#else
void before_switch(void**, const void*, size_t) {}
void after_switch(void*, const void**, size_t*) {}
void forget_frames(void*) {}
#endif

}  // namespace

// Boost.Context's stack allocator concept.
struct Fiber::Stack {
  Fiber* fiber;
  boost::context::stack_context allocate() {
    fiber->stack_bottom_ = pool.take();
    boost::context::stack_context c;
    c.size = stack_bytes;
    c.sp = static_cast<char*>(fiber->stack_bottom_) + stack_bytes;
    return c;
  }
  void deallocate(boost::context::stack_context& c) {
    void* bottom = static_cast<char*>(c.sp) - c.size;
    forget_frames(bottom);
    pool.free.push_back(bottom);
  }
};

// Not Boost's own forced unwinding: AddressSanitizer would not hear of the switch back.
void Fiber::cancel() {
  if (ended_) return;
  cancelled_ = true;
  resume();
}

Fiber::~Fiber() {
  cancel();
}

void Fiber::start(std::function<void()> body) {
  body_ = std::move(body);
  ended_ = false;
  self_ = boost::context::fiber(std::allocator_arg, Stack{this}, [this](boost::context::fiber&& outside) {
    outside_ = std::move(outside);
    run();
    ended_ = true;
    before_switch(nullptr, outside_bottom_, outside_size_);  // null: this fiber will not come back
    return std::move(outside_);
  });
}

void Fiber::run() {
  after_switch(nullptr, &outside_bottom_, &outside_size_);
  try {
    if (!cancelled_) body_();
  } catch (const Cancelled&) {
  }
}

void Fiber::resume() {
  before_switch(&outside_fake_, stack_bottom_, stack_bytes);
  self_ = std::move(self_).resume();
  after_switch(outside_fake_, nullptr, nullptr);
}

void Fiber::suspend() {
  before_switch(&fake_, outside_bottom_, outside_size_);
  outside_ = std::move(outside_).resume();
  after_switch(fake_, &outside_bottom_, &outside_size_);
  if (cancelled_) throw Cancelled{};
}

}  // namespace eb::kernels::emulated
