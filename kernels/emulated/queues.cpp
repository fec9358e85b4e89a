#include "kernels/emulated/queues.h"

#include <deque>
#include <exception>
#include <utility>

#include "kernels/emulated/grid.h"
#include "kernels/side_copies.h"

namespace eb::kernels::emulated {

namespace {

constexpr size_t ring = 8;  // host buffers: so many copies may be under way

struct Queue {
  struct Item {
    std::function<void()> run;
    uint64_t after;  // so many items of the other queue come first
  };
  std::deque<Item> items;
  uint64_t done = 0;
  uint64_t after = 0;  // of what is queued next
  uint64_t queued() const { return done + items.size(); }
  bool ready(const Queue& other) const { return !items.empty() && items.front().after <= other.done; }
  void push(std::function<void()> run) { items.push_back({std::move(run), after}); }
  void clear() { done = queued(), items.clear(); }
};

// The thread that trains is the only one that asks the device for anything. Never destroyed: device memory in
// static storage may go later.
Queue& work = *new Queue;
Queue& copies = *new Queue;
std::exception_ptr failure;  // met where it could not be thrown

bool copies_go_first() {
  static Random random(1);
  const auto when = current_schedule().copies;
  return when == Schedule::Copies::at_issue || (when == Schedule::Copies::random && random.below(2));
}

void run_one(Queue& q) {
  const auto run = std::move(q.items.front().run);
  q.items.pop_front();
  ++q.done;
  run();
}

// An item waits only for older ones, so one of the two is always ready.
void go_on() {
  const bool both = work.ready(copies) && copies.ready(work);
  const bool copy = both ? copies_go_first() : copies.ready(work);
  try {
    run_one(copy ? copies : work);
  } catch (...) {
    work.clear();
    copies.clear();
    throw;
  }
}

}  // namespace

void queue_work(std::function<void()> run) {
  if (work.items.empty() && copies.items.empty()) {
    ++work.done;
    return run();
  }
  work.push(std::move(run));
}

void queue_side_copy(std::function<void()> copy) {
  while (copies.items.size() >= ring) go_on();
  copies.push(std::move(copy));
}

void work_waits_for_copies() {
  work.after = copies.queued();
}

void copies_wait_for_work() {
  copies.after = work.queued();
}

void finish_queues() {
  if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
  while (!work.items.empty() || !copies.items.empty()) go_on();
}

void finish_queues_quietly() noexcept {
  try {
    finish_queues();
  } catch (...) {
    failure = std::current_exception();
  }
}

}  // namespace eb::kernels::emulated

namespace eb::kernels::cuda {

using namespace emulated;

static void send(void* device, const void* host, size_t bytes) {
  refuse_while_recording("copy to the device");
  queue_side_copy(copy_of_host(device, host, bytes));
}
static void arrive() {
  refuse_while_recording("arrival of copies");
  work_waits_for_copies();
}
static void release_to_copies() {
  refuse_while_recording("release for copies");
  copies_wait_for_work();
}

const SideCopies side_copies{.send = send, .arrive = arrive, .release = release_to_copies};

}  // namespace eb::kernels::cuda
