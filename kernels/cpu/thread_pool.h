// Threads that share the chunks of one loop at a time. Made for machines that do other work too: nobody waits
// for a thread that has not begun a chunk, since whoever is running takes the next one, and who has nothing
// to do spins for a while, a short one where other programs want the cores, and then sleeps. OpenMP's barrier
// instead waits for every thread of the team, and libgomp's threads spin for milliseconds meanwhile, on the
// very core that the missing thread needs.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>

namespace eb::kernels::cpu {

class ThreadPool {
 public:
  using Body = void (*)(void* context, int64_t chunk);

  // The only one. It lives as long as the process, since its threads do: they are never joined, so that
  // exit() and a forked child, which has none of them and works alone, need not wait for anybody.
  static ThreadPool& instance();

  void set_threads(int threads) { threads_ = threads; }
  int threads() const { return threads_; }
  void run(int64_t count, Body body, void* context);

 private:
  struct Job {
    Body body;
    void* context;
    int64_t count;
  };

  ThreadPool();
  void start_workers();
  void work(int index);
  void publish(const Job& job);
  bool take(int index, int64_t& chunk);
  void do_chunks(int index);
  void keep_error(int64_t chunk);
  template <class Done>
  bool spin_until(Done done);
  void wait_for_work(uint32_t published);
  void wait_for_chunks();
  void rethrow_error();

  std::atomic<int> threads_;
  std::atomic<bool> busy_ = false;  // the rest belongs to the caller that set it
  int started_ = 0;                 // workers; their indices are from 1
  Job job_ = {};                    // written while nobody holds a chunk, read by those that do
  std::mutex error_mutex_;
  std::exception_ptr error_;
  int64_t error_chunk_ = 0;

  // Each on a cache line of its own: the first two change with every chunk.
  alignas(64) std::atomic<uint64_t> open_ =
      0;  // number of the job, and how many of its chunks nobody has begun
  alignas(64) std::atomic<uint32_t> unfinished_ = 0;  // chunks of the job
  std::atomic<bool> caller_sleeps_ = false;
  alignas(64) std::atomic<uint32_t> published_ = 0;  // jobs
  std::atomic<int> limit_ = 1;                       // threads that may join this one
  std::atomic<int> sleepers_ = 0;
  std::atomic<int64_t> debt_paid_ = 0;  // when, in ns: far ahead where other programs take cores from us
};

}  // namespace eb::kernels::cpu
