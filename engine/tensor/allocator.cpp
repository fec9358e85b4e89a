#include "engine/tensor/allocator.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "engine/tensor/address_range.h"
#include "engine/tensor/device_cache.h"
#include "engine/tensor/size_class.h"

namespace eb::engine {

namespace {

constexpr size_t large = size_t{256} << 10;

// Small blocks: free lists by size class.
class FreeLists {
 public:
  void* take(size_t size) {
    auto& blocks = free_[size];
    if (blocks.empty()) return fresh(size);
    void* block = blocks.back();
    blocks.pop_back();
    in_use_ += size;
    cached_ -= size;
    return block;
  }

  void give(void* block, size_t size) {
    in_use_ -= size;
    cached_ += size;
    free_[size].push_back(block);
  }

  void trim() {
    for (auto& [size, blocks] : free_)
      for (void* block : blocks) std::free(block);
    free_.clear();
    cached_ = 0;
  }

  size_t in_use() const { return in_use_; }
  size_t cached() const { return cached_; }
  size_t allocations() const { return allocations_; }

 private:
  void* fresh(size_t size) {
    void* block = std::aligned_alloc(64, (size + 63) / 64 * 64);
    if (!block) throw std::bad_alloc();
    ++allocations_;
    in_use_ += size;
    return block;
  }

  std::map<size_t, std::vector<void*>> free_;
  size_t in_use_ = 0, cached_ = 0, allocations_ = 0;
};

class Pool {
 public:
  void* take(size_t size) {
    const std::lock_guard lock(mutex_);
    void* block = size >= large ? range_.take(size) : lists_.take(size);
    peak_ = std::max(peak_, in_use());
    return block;
  }

  void give(void* block, size_t size) {
    const std::lock_guard lock(mutex_);
    if (size >= large)
      range_.give(block, size);
    else
      lists_.give(block, size);
  }

  void trim() {
    const std::lock_guard lock(mutex_);
    range_.trim();
    lists_.trim();
  }

  AllocatorStats stats() {
    const std::lock_guard lock(mutex_);
    return {in_use(), peak_, range_.usable() - range_.in_use() + lists_.cached(),
            range_.growths() + lists_.allocations()};
  }

  void reset_peak() {
    const std::lock_guard lock(mutex_);
    peak_ = in_use();
  }

 private:
  size_t in_use() const { return range_.in_use() + lists_.in_use(); }

  std::mutex mutex_;
  AddressRange range_;
  FreeLists lists_;
  size_t peak_ = 0;
};

// Never destroyed: tensors in static storage may outlive any order of destruction.
Pool& pool() {
  static Pool* instance = new Pool;
  return *instance;
}

size_t block_size(size_t bytes) {
  return bytes < large ? size_class(bytes, 256) : (bytes + 63) / 64 * 64;
}

}  // namespace

std::shared_ptr<void> allocate(size_t bytes, kernels::Device device) {
  if (device != kernels::Device::cpu) return device_cache(device).allocate(bytes);
  const size_t size = block_size(bytes);
  return {pool().take(size), [size](void* block) { pool().give(block, size); }};
}

AllocatorStats allocator_stats(kernels::Device device) {
  return device == kernels::Device::cpu ? pool().stats() : device_cache(device).stats();
}
void reset_allocator_peak(kernels::Device device) {
  device == kernels::Device::cpu ? pool().reset_peak() : device_cache(device).reset_peak();
}
void set_allocator_budget(size_t bytes, kernels::Device device) {
  device_cache(device).set_budget(bytes);
}
void trim_allocator(kernels::Device device) {
  if (device == kernels::Device::cpu)
    pool().trim();
  else
    device_cache(device).trim();
}

}  // namespace eb::engine
