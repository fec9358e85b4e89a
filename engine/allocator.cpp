#include "engine/allocator.h"

#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <vector>

namespace eb::engine {

namespace {

// Size classes: multiples of 1/8 of the power of two below, so at most 12.5 % is wasted.
size_t size_class(size_t bytes) {
  if (bytes <= 256) return 256;
  const size_t step = std::bit_floor(bytes - 1) / 8;
  return (bytes + step - 1) / step * step;
}

class Pool {
 public:
  void* take(size_t size) {
    const std::lock_guard lock(mutex_);
    stats_.in_use += size;
    stats_.peak = std::max(stats_.peak, stats_.in_use);
    auto& blocks = free_[size];
    if (blocks.empty()) return fresh(size);
    void* block = blocks.back();
    blocks.pop_back();
    stats_.cached -= size;
    return block;
  }

  void give(void* block, size_t size) {
    const std::lock_guard lock(mutex_);
    stats_.in_use -= size;
    stats_.cached += size;
    free_[size].push_back(block);
  }

  void trim() {
    const std::lock_guard lock(mutex_);
    for (auto& [size, blocks] : free_)
      for (void* block : blocks) std::free(block);
    free_.clear();
    stats_.cached = 0;
  }

  AllocatorStats stats() {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

  void reset_peak() {
    const std::lock_guard lock(mutex_);
    stats_.peak = stats_.in_use;
  }

 private:
  void* fresh(size_t size) {
    ++stats_.system_allocations;
    void* block = std::aligned_alloc(64, (size + 63) / 64 * 64);
    if (!block) throw std::bad_alloc();
    return block;
  }

  std::mutex mutex_;
  std::map<size_t, std::vector<void*>> free_;
  AllocatorStats stats_;
};

// Never destroyed: tensors in static storage may outlive any order of destruction.
Pool& pool() {
  static Pool* instance = new Pool;
  return *instance;
}

}  // namespace

std::shared_ptr<void> allocate(size_t bytes) {
  const size_t size = size_class(bytes);
  return {pool().take(size), [size](void* block) { pool().give(block, size); }};
}

AllocatorStats allocator_stats() {
  return pool().stats();
}
void reset_allocator_peak() {
  pool().reset_peak();
}
void trim_allocator() {
  pool().trim();
}

}  // namespace eb::engine
