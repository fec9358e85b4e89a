// Caching allocator for activations: after the first training step no system allocation happens. Small blocks
// wait in free lists by size class. Large ones lie in one reserved address range, lowest hole first, holes
// merged: a tape frees in reverse order, so the range grows to what is alive at once and no further, where
// free lists would keep the peak of every size. Thread-safe; blocks are 64-byte aligned. Other devices:
// device_cache.h.
#pragma once
#include <cstddef>
#include <memory>

#include "kernels/dtype.h"

namespace eb::engine {

struct AllocatorStats {
  size_t in_use = 0, peak = 0;    // bytes handed out
  size_t cached = 0;              // bytes kept for reuse
  size_t system_allocations = 0;  // times the system was asked for more
};

// Contents undefined. Throws std::bad_alloc on the CPU, and on another device, after cached blocks were given
// back in vain, Error 6002 with the bytes asked for, in use and cached.
std::shared_ptr<void> allocate(size_t bytes, kernels::Device device = kernels::Device::cpu);
AllocatorStats allocator_stats(kernels::Device device = kernels::Device::cpu);
void reset_allocator_peak(kernels::Device device = kernels::Device::cpu);
// Most that a device's allocator may hold, handed out and cached, from now on; 0: what the device has. Not
// for the CPU.
void set_allocator_budget(size_t bytes, kernels::Device device);
// Gives cached memory back, after the model shrank.
void trim_allocator(kernels::Device device = kernels::Device::cpu);

}  // namespace eb::engine
