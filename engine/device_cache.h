// The caching allocator of a device: free lists by size class over the device's own allocation, which is slow
// and waits for the device. Work is queued in one order, so a block that was given back may be handed out at
// once.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/allocator.h"

namespace eb::engine {

class DeviceCache {
 public:
  explicit DeviceCache(kernels::Device device) : device_(device) {}
  std::shared_ptr<void> allocate(size_t bytes);
  AllocatorStats stats();
  void reset_peak();
  void trim();

 private:
  void* take(size_t size);
  void* fresh(size_t size);
  void give_back_all();
  void give(void* block, size_t size);

  kernels::Device device_;
  std::mutex mutex_;
  std::map<size_t, std::vector<void*>> free_;
  AllocatorStats stats_;
};

DeviceCache& device_cache(kernels::Device device);

}  // namespace eb::engine
