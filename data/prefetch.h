// Worker threads that fill batches ahead of their use, in a bounded ring, in order. Work is handed out sample
// by sample; what a sample becomes depends on its position alone, so the number of workers changes nothing.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace eb::data {

// One batch under construction.
struct Slot {
  std::vector<uint8_t> pixels;  // (size, height, width, 3)
  std::vector<int32_t> labels;
  std::vector<int64_t> ids;
  std::vector<int64_t> bad;  // per position: the id that could not be read, or -1
  void resize(int64_t size, size_t image_bytes);
};

class Prefetch {
 public:
  struct Plan {
    int workers;                                    // >= 1
    int64_t first, batches;                         // batches [first, batches)
    std::function<int64_t(int64_t batch)> size_of;  // samples to fill in, perhaps none
    size_t image_bytes;
  };
  using Work = std::function<void(int64_t batch, int64_t position, Slot& slot)>;

  Prefetch(const Plan& plan, Work work);
  ~Prefetch();  // stops after the samples at hand

  // The next batch; valid until the next call. Rethrows what the work threw, the lowest position first.
  Slot& next();

 private:
  struct Entry {
    Slot slot;
    int64_t handed_out = 0, done = 0, failed_at = -1;
    std::exception_ptr error;
  };
  static constexpr int64_t depth = 3;

  Entry& entry(int64_t batch) { return ring_[batch % depth]; }
  void prepare(int64_t batch);
  bool take(int64_t& batch, int64_t& position);
  void finish(int64_t batch, int64_t position, std::exception_ptr error);
  void run();

  Plan plan_;
  Work work_;
  std::vector<Entry> ring_;
  std::mutex mutex_;
  std::condition_variable room_, ready_;
  int64_t filling_,
      current_;  // batch being handed out; batch the consumer waits for or holds is current_ - 1
  bool stop_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace eb::data
