// Caching allocator for activations: after the first training step no system allocation happens. Small blocks
// wait in free lists by size class. Large ones lie in one reserved address range, lowest hole first, holes
// merged: a tape frees in reverse order, so the range grows to what is alive at once and no further, where
// free lists would keep the peak of every size. Thread-safe; blocks are 64-byte aligned.
#pragma once
#include <cstddef>
#include <memory>

namespace eb::engine {

struct AllocatorStats {
  size_t in_use = 0, peak = 0;    // bytes handed out
  size_t cached = 0;              // bytes kept for reuse
  size_t system_allocations = 0;  // times the system was asked for more
};

std::shared_ptr<void> allocate(size_t bytes);  // contents undefined; throws std::bad_alloc
AllocatorStats allocator_stats();
void reset_allocator_peak();
void trim_allocator();  // gives cached memory back, after the model shrank

}  // namespace eb::engine
