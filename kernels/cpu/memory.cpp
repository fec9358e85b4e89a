#include "kernels/memory.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "kernels/side_copies.h"

namespace eb::kernels::cpu {

namespace {

constexpr size_t alignment = 256;

void* allocate(size_t bytes) {
  void* block = std::aligned_alloc(alignment, (bytes + alignment) / alignment * alignment);
  if (!block) throw std::bad_alloc();
  return block;
}
void release(void* block) {
  std::free(block);
}
void copy(void* to, const void* from, size_t bytes) {
  if (bytes) std::memcpy(to, from, bytes);
}
void zero(void* block, size_t bytes) {
  if (bytes) std::memset(block, 0, bytes);
}
void synchronize() {}
void nothing_to_wait_for() {}

}  // namespace

const Memory memory{.allocate = allocate,
                    .release = release,
                    .to_device = copy,
                    .to_host = copy,
                    .copy = copy,
                    .zero = zero,
                    .synchronize = synchronize};

const SideCopies side_copies{.send = copy, .arrive = nothing_to_wait_for, .release = nothing_to_wait_for};

}  // namespace eb::kernels::cpu
