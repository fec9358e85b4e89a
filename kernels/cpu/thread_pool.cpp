#include "kernels/cpu/thread_pool.h"

#include <linux/futex.h>
#include <omp.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <system_error>
#include <thread>
#include <utility>

#include "kernels/cpu/parallel.h"

namespace eb::kernels::cpu {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds, std::chrono::milliseconds, std::chrono::nanoseconds;

// Alone a spinning thread costs nobody anything, and a sleeping one a wake-up for each loop: vgg16_quarter,
// batch 128, two threads on two idle cores of a Zen 3, 965 images/s where all spin 25 us, 1174 with these,
// 1171 with libgomp. Beside another program a spinning thread may hold the core that the awaited one needs:
// with a busy loop on one core 767 for 25 us, 723 for 100, 561 with libgomp. So who spins is patient until
// the kernel takes cores from us.
constexpr microseconds long_spin{1000}, short_spin{25};
// Each time the kernel does, this long a debt, shared by the threads; time pays it back, and above the limit
// waiting is short. A busy loop at nice 10 takes a core 25 times a second, and the machine's own housekeeping
// some times.
constexpr milliseconds loss{80}, patience{80}, most_debt{240};

thread_local int index_in_loop = 0;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
}

int64_t now() {
  return Clock::now().time_since_epoch().count();
}

constexpr int64_t ns(nanoseconds time) {
  return time.count();
}

// Whether another thread was given the core since the last call on this thread.
bool lost_the_core() {
  thread_local long before = 0;
  rusage usage;
  ::getrusage(RUSAGE_THREAD, &usage);
  return std::exchange(before, usage.ru_nivcsw) != usage.ru_nivcsw;
}

// Not std::atomic's wait: libstdc++ yields before it sleeps, and who yields to another program's thread stays
// runnable and gets no wake-up that would bring it back at once.
static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));
void futex_wait(std::atomic<uint32_t>& word, uint32_t seen) {
  ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
}
void futex_wake(std::atomic<uint32_t>& word, int threads) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, threads, nullptr, nullptr, 0);
}

// A loop on the calling thread alone, in which it is number 0 whatever it is in the loop around.
void run_alone(int64_t count, ThreadPool::Body body, void* context) {
  struct Index {
    int before = std::exchange(index_in_loop, 0);
    ~Index() { index_in_loop = before; }
  } index;
  for (int64_t i = 0; i < count; ++i) body(context, i);
}

}  // namespace

// Whether `done` within the time. By the clock and not by a number of turns: who was not running meanwhile
// has waited enough.
template <class Done>
bool ThreadPool::spin_until(Done done) {
  const int64_t begin = now();
  int64_t paid = std::max(begin, debt_paid_.load(std::memory_order_relaxed));
  if (lost_the_core()) {
    paid = std::min(paid + ns(loss) / threads(), begin + ns(most_debt));
    debt_paid_.store(paid, std::memory_order_relaxed);
  }
  const int64_t end = begin + (paid - begin > ns(patience) ? ns(short_spin) : ns(long_spin));
  do {
    for (int i = 0; i < 16; ++i, relax())
      if (done()) return true;
  } while (now() < end);
  return false;
}

ThreadPool& ThreadPool::instance() {
  static ThreadPool& pool = *new ThreadPool;
  return pool;
}

ThreadPool::ThreadPool() : threads_(omp_get_max_threads()) {}

void ThreadPool::run(int64_t count, Body body, void* context) {
  if (count <= 1 || threads() <= 1 || count > std::numeric_limits<uint32_t>::max() ||
      busy_.exchange(true, std::memory_order_acquire))
    return run_alone(count, body, context);
  start_workers();
  publish({body, context, count});
  do_chunks(0);
  wait_for_chunks();
  rethrow_error();
}

// Those that a limit on processes leaves: the caller needs none.
void ThreadPool::start_workers() {
  try {
    for (; started_ + 1 < threads(); ++started_)
      std::thread([this, index = started_ + 1] { work(index); }).detach();
  } catch (const std::system_error&) {
  }
}

void ThreadPool::publish(const Job& job) {
  job_ = job;
  const int limit = threads();
  limit_.store(limit, std::memory_order_relaxed);
  unfinished_.store(static_cast<uint32_t>(job.count), std::memory_order_relaxed);
  const uint64_t number = published_.load(std::memory_order_relaxed) + uint64_t{1};
  open_.store(number << 32 | static_cast<uint64_t>(job.count), std::memory_order_release);
  published_.fetch_add(1, std::memory_order_seq_cst);
  // A worker counts itself before it looks at published_ for the last time: one of the two sees the other.
  if (sleepers_.load(std::memory_order_seq_cst) > 0)
    futex_wake(published_,
               limit - 1 < started_ ? started_ : static_cast<int>(std::min<int64_t>(limit, job.count)) - 1);
}

// One chunk. Between reading limit_ and taking the chunk another job may begin, for fewer threads; its number
// in open_ lets the exchange fail then. job_ is only read by holders of a chunk, without which the job cannot
// end.
bool ThreadPool::take(int index, int64_t& chunk) {
  uint64_t open = open_.load(std::memory_order_acquire);
  while (static_cast<uint32_t>(open) > 0 && index < limit_.load(std::memory_order_relaxed))
    if (open_.compare_exchange_weak(open, open - 1, std::memory_order_acquire)) {
      chunk = job_.count - static_cast<uint32_t>(open);
      return true;
    }
  return false;
}

void ThreadPool::do_chunks(int index) {
  for (int64_t chunk; take(index, chunk);) {
    try {
      job_.body(job_.context, chunk);
    } catch (...) {
      keep_error(chunk);
    }
    if (unfinished_.fetch_sub(1, std::memory_order_seq_cst) == 1 && index > 0 &&
        caller_sleeps_.load(std::memory_order_seq_cst))
      futex_wake(unfinished_, 1);
  }
}

void ThreadPool::work(int index) {
  index_in_loop = index;
  for (;;) {
    const uint32_t published = published_.load(std::memory_order_acquire);
    do_chunks(index);
    wait_for_work(published);
  }
}

void ThreadPool::wait_for_work(uint32_t published) {
  const auto changed = [&] { return published_.load(std::memory_order_seq_cst) != published; };
  if (spin_until(changed)) return;
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  while (!changed()) futex_wait(published_, published);
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

// For chunks that others have begun.
void ThreadPool::wait_for_chunks() {
  const auto done = [&] { return unfinished_.load(std::memory_order_seq_cst) == 0; };
  if (spin_until(done)) return;
  caller_sleeps_.store(true, std::memory_order_seq_cst);
  for (uint32_t left; (left = unfinished_.load(std::memory_order_seq_cst)) != 0;)
    futex_wait(unfinished_, left);
  caller_sleeps_.store(false, std::memory_order_relaxed);
}

// Of several the lowest chunk's: the same error for any number of threads.
void ThreadPool::keep_error(int64_t chunk) {
  const std::lock_guard lock(error_mutex_);
  if (error_ && error_chunk_ < chunk) return;
  error_ = std::current_exception();
  error_chunk_ = chunk;
}

void ThreadPool::rethrow_error() {
  const std::exception_ptr error = std::exchange(error_, nullptr);
  busy_.store(false, std::memory_order_release);
  if (error) std::rethrow_exception(error);
}

void set_threads(int threads) {
  ThreadPool::instance().set_threads(threads);
}
int threads() {
  return ThreadPool::instance().threads();
}
int thread_index() {
  return index_in_loop;
}
void run_chunks(int64_t count, void (*body)(void*, int64_t), void* context) {
  ThreadPool::instance().run(count, body, context);
}

}  // namespace eb::kernels::cpu
