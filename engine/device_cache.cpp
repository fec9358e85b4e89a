#include "engine/device_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <new>

#include "engine/error.h"
#include "kernels/memory.h"

namespace eb::engine {

namespace {

// Multiples of 1/8 of the power of two below: at most 12.5 % is wasted, and batches of nearly equal size
// share blocks.
size_t size_class(size_t bytes) {
  if (bytes <= 512) return 512;
  const size_t step = std::bit_floor(bytes - 1) / 8;
  return (bytes + step - 1) / step * step;
}

double mib(size_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

}  // namespace

std::shared_ptr<void> DeviceCache::allocate(size_t bytes) {
  const size_t size = size_class(bytes);
  const std::lock_guard lock(mutex_);
  void* block = take(size);
  stats_.in_use += size;
  stats_.peak = std::max(stats_.peak, stats_.in_use);
  return {block, [this, size](void* p) { give(p, size); }};
}

void* DeviceCache::take(size_t size) {
  auto& blocks = free_[size];
  if (blocks.empty()) return fresh(size);
  void* block = blocks.back();
  blocks.pop_back();
  stats_.cached -= size;
  return block;
}

void* DeviceCache::fresh(size_t size) {
  const auto& memory = kernels::memory(device_);
  ++stats_.system_allocations;
  try {
    return memory.allocate(size);
  } catch (const std::bad_alloc&) {
  }
  give_back_all();
  try {
    return memory.allocate(size);
  } catch (const std::bad_alloc&) {
    throw Error(6002,
                fmt::format("out of memory on {}: {:.1f} MiB wanted, {:.1f} MiB in use, nothing left to free",
                            kernels::name_of(device_), mib(size), mib(stats_.in_use)),
                "a smaller train.batch_size");
  }
}

void DeviceCache::give_back_all() {
  const auto& memory = kernels::memory(device_);
  memory.synchronize();
  for (auto& [size, blocks] : free_)
    for (void* block : blocks) memory.release(block);
  free_.clear();
  stats_.cached = 0;
}

void DeviceCache::give(void* block, size_t size) {
  const std::lock_guard lock(mutex_);
  stats_.in_use -= size;
  stats_.cached += size;
  free_[size].push_back(block);
}

AllocatorStats DeviceCache::stats() {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void DeviceCache::reset_peak() {
  const std::lock_guard lock(mutex_);
  stats_.peak = stats_.in_use;
}

void DeviceCache::trim() {
  const std::lock_guard lock(mutex_);
  give_back_all();
}

// Never destroyed: tensors in static storage may outlive any order of destruction.
DeviceCache& device_cache(kernels::Device device) {
  static DeviceCache* const caches[] = {new DeviceCache(kernels::Device::cpu),
                                        new DeviceCache(kernels::Device::cuda),
                                        new DeviceCache(kernels::Device::emulated)};
  return *caches[static_cast<int>(device)];
}

}  // namespace eb::engine
