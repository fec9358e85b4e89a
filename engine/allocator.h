// Caching allocator for activations: freed blocks are kept by size class, so after the first training step no
// system allocation happens. Thread-safe; blocks are 64-byte aligned.
#pragma once
#include <cstddef>
#include <memory>

namespace eb::engine {

struct AllocatorStats {
  size_t in_use = 0, peak = 0, cached = 0;  // bytes
  size_t system_allocations = 0;            // blocks ever taken from the system
};

std::shared_ptr<void> allocate(size_t bytes);  // contents undefined
AllocatorStats allocator_stats();
void reset_allocator_peak();
void trim_allocator();  // gives every cached block back, after the model shrank

}  // namespace eb::engine
