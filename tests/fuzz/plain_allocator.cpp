// Stands in for the caching allocator, whose blocks AddressSanitizer cannot tell apart.
#include <cstdlib>
#include <new>

#include "engine/tensor/allocator.h"

namespace eb::engine {

std::shared_ptr<void> allocate(size_t bytes, kernels::Device) {
  void* block = std::malloc(bytes);
  if (block == nullptr && bytes > 0) throw std::bad_alloc();
  return {block, std::free};
}

}  // namespace eb::engine
