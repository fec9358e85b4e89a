// Device memory of the emulated device. Each allocation is its own malloc, so that AddressSanitizer sees an
// index that leaves its tensor. In strict mode allocations come from one mapped range that is accessible only
// while an OpenMemory lives (launches and copies hold one): host code that touches device memory crashes, as
// it would on a GPU.
#pragma once
#include <cstddef>

namespace eb::kernels::emulated {

// For what is allocated from now on.
void set_strict_memory(bool strict);

// Bytes the device has left from now on; 0 for no limit. An allocation beyond it throws std::bad_alloc, as on
// a full card.
void set_memory_limit(size_t bytes);

class OpenMemory {
 public:
  OpenMemory();
  ~OpenMemory();
  OpenMemory(const OpenMemory&) = delete;
  OpenMemory& operator=(const OpenMemory&) = delete;
};

}  // namespace eb::kernels::emulated
