// The caching allocator of a device: free lists by size class over the device's own allocation, which is slow
// and waits for the device. Work is queued in one order, so a block that was given back may be handed out at
// once.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/tensor/allocator.h"

namespace eb::engine {

class DeviceCache;

// Blocks that are used again only from here. A captured step holds addresses, so what it allocated comes from
// a pool of its own, which no other work can be handed a block of; the pool lives as long as the capture and
// its blocks.
class BlockPool {
 public:
  explicit BlockPool(DeviceCache& cache) : cache_(cache) {}
  ~BlockPool();  // to the device
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

 private:
  friend class DeviceCache;
  DeviceCache& cache_;
  std::map<size_t, std::vector<void*>> free_;
};

class DeviceCache {
 public:
  explicit DeviceCache(kernels::Device device)
      : device_(device), shared_(std::make_shared<BlockPool>(*this)) {}
  std::shared_ptr<void> allocate(size_t bytes);
  AllocatorStats stats();
  void reset_peak();
  bool trim();                    // gives the shared pool's blocks back; false if there were none
  void set_budget(size_t bytes);  // 0: whatever the device has
  kernels::Device device() const { return device_; }

 private:
  friend class BlockPool;
  void* take(BlockPool& pool, size_t size);
  void* fresh(size_t size);
  void* try_fresh(size_t size);  // null if there is no room
  void give_back_all(BlockPool& pool);
  void give(BlockPool& pool, void* block, size_t size);

  kernels::Device device_;
  std::recursive_mutex mutex_;  // the last block of a pool may go while another is given back
  AllocatorStats stats_;
  size_t budget_ = 0;
  std::shared_ptr<BlockPool> shared_;
};

DeviceCache& device_cache(kernels::Device device);

// This thread's allocations on the pool's device come from `pool` while this lives.
class PoolScope {
 public:
  explicit PoolScope(std::shared_ptr<BlockPool> pool);
  ~PoolScope();
  PoolScope(const PoolScope&) = delete;
  PoolScope& operator=(const PoolScope&) = delete;

 private:
  std::shared_ptr<BlockPool> before_;
};

}  // namespace eb::engine
