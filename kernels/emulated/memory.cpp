#include "kernels/memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "kernels/emulated/grid.h"
#include "kernels/emulated/queues.h"
#include "kernels/emulated/strict_memory.h"

namespace eb::kernels::emulated {

namespace {

constexpr size_t alignment = 256;
constexpr size_t reserved = size_t{16} << 30;  // address space, not memory

size_t aligned(size_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

// Best fit over one range; small and slow, for tests.
class StrictRange {
 public:
  StrictRange() {
    base_ = static_cast<char*>(
        mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (base_ == MAP_FAILED) throw std::bad_alloc();
  }
  void* take(size_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto hole = holes_.lower_bound(bytes);
    if (hole == holes_.end()) {
      if (used_ + bytes > reserved) throw std::bad_alloc();
      used_ += bytes;
      return remember(base_ + used_ - bytes, bytes);
    }
    void* block = hole->second;
    bytes = hole->first;
    holes_.erase(hole);
    return remember(block, bytes);
  }
  void give(void* block) {
    const std::lock_guard lock(mutex_);
    holes_.emplace(sizes_.at(block), block);
    sizes_.erase(block);
  }
  bool owns(const void* p) const { return p >= base_ && p < base_ + reserved; }
  void open() {
    const std::lock_guard lock(mutex_);
    if (opened_++ == 0) mprotect(base_, whole_pages(), PROT_READ | PROT_WRITE);
  }
  void close() {
    const std::lock_guard lock(mutex_);
    if (--opened_ == 0) mprotect(base_, whole_pages(), PROT_NONE);
  }

 private:
  void* remember(void* block, size_t bytes) {
    sizes_[block] = bytes;
    return block;
  }
  size_t whole_pages() const { return (used_ + 4095) / 4096 * 4096 + 4096; }

  std::mutex mutex_;
  char* base_;
  size_t used_ = 0;
  int opened_ = 0;
  std::multimap<size_t, void*> holes_;
  std::map<void*, size_t> sizes_;
};

StrictRange* range = nullptr;  // once asked for, kept for the blocks that lie in it
bool strict = false;           // new blocks come from the range

// Sizes of all live blocks, for the limit.
class Ledger {
 public:
  void reserve(size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (limit_ && used_ + bytes > limit_) throw std::bad_alloc();
    used_ += bytes;
  }
  void enter(void* block, size_t bytes) {
    const std::lock_guard lock(mutex_);
    sizes_[block] = bytes;
  }
  void erase(void* block) {
    const std::lock_guard lock(mutex_);
    const auto it = sizes_.find(block);
    used_ -= it->second;
    sizes_.erase(it);
  }
  void set_limit(size_t bytes) {
    const std::lock_guard lock(mutex_);
    limit_ = bytes ? used_ + bytes : 0;
  }

 private:
  std::mutex mutex_;
  size_t used_ = 0, limit_ = 0;
  std::map<void*, size_t> sizes_;
};
Ledger& ledger() {
  static Ledger* instance = new Ledger;  // outlives tensors in static storage
  return *instance;
}

// Garbage that shows: NaN as f32 and as bf16, so a kernel that forgets to write its output is seen.
void poison(void* p, size_t bytes) {
  const OpenMemory open;
  std::memset(p, 0xff, bytes);
}

void* allocate(size_t bytes) {
  const size_t size = aligned(bytes ? bytes : 1);
  ledger().reserve(size);
  // Not rounded up without strict mode: a red zone should begin right after the last element.
  void* block = nullptr;
  if (strict)
    block = range->take(size);
  else if (posix_memalign(&block, alignment, bytes ? bytes : 1) != 0)
    throw std::bad_alloc();
  ledger().enter(block, size);
  poison(block, bytes);
  return block;
}

void release(void* block) {
  if (!block) return;
  finish_queues_quietly();
  ledger().erase(block);
  range && range->owns(block) ? range->give(block) : std::free(block);
}

void copy(void* to, const void* from, size_t bytes) {
  if (bytes == 0) return;
  const OpenMemory open;
  std::memmove(to, from, bytes);
}

void zero(void* device, size_t bytes) {
  if (bytes == 0) return;
  const OpenMemory open;
  std::memset(device, 0, bytes);
}

void to_device(void* device, const void* host, size_t bytes) {
  refuse_while_recording("copy to the device");
  queue_work(copy_of_host(device, host, bytes));
}

void to_host(void* host, const void* device, size_t bytes) {
  refuse_while_recording("copy to the host");
  finish_queues();
  copy(host, device, bytes);
}

void queue_copy(void* to, const void* from, size_t bytes) {
  fail_if_broken("copy on the device");
  const auto work = [=] { copy(to, from, bytes); };
  recording() ? record(work) : queue_work(work);
}

void queue_zero(void* device, size_t bytes) {
  fail_if_broken("zero");
  const auto work = [=] { zero(device, bytes); };
  recording() ? record(work) : queue_work(work);
}

void synchronize() {
  refuse_while_recording("synchronize");
  finish_queues();
}

}  // namespace

std::function<void()> copy_of_host(void* device, const void* host, size_t bytes) {
  const auto* first = static_cast<const char*>(host);
  return [device, held = std::vector<char>(first, first + bytes)] { copy(device, held.data(), held.size()); };
}

void set_strict_memory(bool on) {
  if (on && !range) range = new StrictRange;
  strict = on;
}

void set_memory_limit(size_t bytes) {
  ledger().set_limit(bytes);
}

OpenMemory::OpenMemory() {
  if (range) range->open();
}
OpenMemory::~OpenMemory() {
  if (range) range->close();
}

}  // namespace eb::kernels::emulated

namespace eb::kernels::cuda {

using namespace emulated;

const Memory memory{.allocate = allocate,
                    .release = release,
                    .to_device = to_device,
                    .to_host = to_host,
                    .copy = queue_copy,
                    .zero = queue_zero,
                    .synchronize = synchronize};

}  // namespace eb::kernels::cuda
