#include "engine/tensor/device_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/tensor/size_class.h"
#include "kernels/capture_guard.h"
#include "kernels/device_error.h"
#include "kernels/memory.h"
#include "kernels/room.h"

namespace eb::engine {

namespace {

double mib(size_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

thread_local std::shared_ptr<BlockPool> scoped;  // of the innermost PoolScope

}  // namespace

PoolScope::PoolScope(std::shared_ptr<BlockPool> pool) : before_(std::exchange(scoped, std::move(pool))) {}

PoolScope::~PoolScope() {
  scoped = std::move(before_);
}

BlockPool::~BlockPool() {
  try {
    cache_.give_back_all(*this);
  } catch (const kernels::DeviceError&) {  // after a failed kernel every call fails; the process is ending
  }
}

std::shared_ptr<void> DeviceCache::allocate(size_t bytes) {
  const size_t size = size_class(bytes, 512);
  const auto& pool = scoped && scoped->cache_.device_ == device_ ? scoped : shared_;
  const std::lock_guard lock(mutex_);
  void* block = take(*pool, size);
  stats_.in_use += size;
  stats_.peak = std::max(stats_.peak, stats_.in_use);
  return {block, [this, pool, size](void* p) { give(*pool, p, size); }};
}

void* DeviceCache::take(BlockPool& pool, size_t size) {
  auto& blocks = pool.free_[size];
  if (blocks.empty()) return fresh(size);
  void* block = blocks.back();
  blocks.pop_back();
  stats_.cached -= size;
  return block;
}

void* DeviceCache::try_fresh(size_t size) {
  if (budget_ && stats_.in_use + stats_.cached + size > budget_) return nullptr;
  try {
    return kernels::memory(device_).allocate(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void* DeviceCache::fresh(size_t size) {
  ++stats_.system_allocations;
  if (void* block = try_fresh(size)) return block;
  if (!kernels::capturing) {  // giving back waits for the device
    give_back_all(*shared_);
    if (void* block = try_fresh(size)) return block;
  }
  const std::string limit = budget_ ? fmt::format(" of a budget of {:.1f} MiB", mib(budget_)) : "";
  throw Error(
      errors::out_of_device_memory,
      fmt::format("out of memory on {}: {:.1f} MiB wanted, {:.1f} MiB in use{}, nothing left to free",
                  kernels::name_of(device_), mib(size), mib(stats_.in_use + stats_.cached), limit),
      budget_ ? "a smaller train.batch_size, or a larger cuda.memory_mib" : "a smaller train.batch_size");
}

void DeviceCache::give_back_all(BlockPool& pool) {
  const std::lock_guard lock(mutex_);
  const auto& memory = kernels::memory(device_);
  if (!pool.free_.empty()) memory.synchronize();
  for (auto& [size, blocks] : pool.free_) {
    for (void* block : blocks) memory.release(block);
    stats_.cached -= size * blocks.size();
  }
  pool.free_.clear();
}

void DeviceCache::give(BlockPool& pool, void* block, size_t size) {
  const std::lock_guard lock(mutex_);
  stats_.in_use -= size;
  stats_.cached += size;
  pool.free_[size].push_back(block);
}

AllocatorStats DeviceCache::stats() {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void DeviceCache::reset_peak() {
  const std::lock_guard lock(mutex_);
  stats_.peak = stats_.in_use;
}

bool DeviceCache::trim() {
  const std::lock_guard lock(mutex_);
  const bool any = std::any_of(shared_->free_.begin(), shared_->free_.end(),
                               [](const auto& size) { return !size.second.empty(); });
  give_back_all(*shared_);
  return any;
}

void DeviceCache::set_budget(size_t bytes) {
  const std::lock_guard lock(mutex_);
  budget_ = bytes;
}

// What the card's runtime may ask for.
static DeviceCache* cache_of_card() {
  kernels::give_back_kept = [] { return device_cache(kernels::Device::cuda).trim(); };
  return new DeviceCache(kernels::Device::cuda);
}

// Never destroyed: tensors in static storage may outlive any order of destruction.
DeviceCache& device_cache(kernels::Device device) {
  static DeviceCache* const caches[] = {new DeviceCache(kernels::Device::cpu), cache_of_card()};
  return *caches[static_cast<int>(device)];
}

}  // namespace eb::engine
