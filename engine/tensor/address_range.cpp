#include "engine/tensor/address_range.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

namespace eb::engine {

namespace {

constexpr size_t huge_page = size_t{2} << 20;

size_t round_up(size_t bytes, size_t to) {
  return (bytes + to - 1) / to * to;
}

// Addresses only: nothing is charged until grow(). Halves until the process limit allows it.
std::pair<void*, size_t> reserve() {
  const auto physical =
      static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  for (size_t size = round_up(physical, huge_page); size >= huge_page; size = round_up(size / 2, huge_page)) {
    void* base = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base != MAP_FAILED) return {base, size};
    if (size == huge_page) break;
  }
  throw std::bad_alloc();
}

}  // namespace

AddressRange::AddressRange() {
  const auto [base, size] = reserve();
  base_ = static_cast<char*>(base);
  reserved_ = size;
  holes_[0] = size;
  madvise(base_, reserved_, MADV_HUGEPAGE);  // fewer page faults and TLB misses, where the system has them
}

AddressRange::~AddressRange() {
  munmap(base_, reserved_);
}

void* AddressRange::take(size_t bytes) {
  for (auto hole = holes_.begin(); hole != holes_.end(); ++hole)
    if (hole->second >= bytes) return carve(hole, bytes);
  throw std::bad_alloc();
}

void* AddressRange::carve(std::map<size_t, size_t>::iterator hole, size_t bytes) {
  const auto [offset, room] = *hole;
  grow(offset + bytes);
  holes_.erase(hole);
  if (room > bytes) holes_[offset + bytes] = room - bytes;
  in_use_ += bytes;
  return base_ + offset;
}

void AddressRange::grow(size_t end) {
  if (end <= usable_) return;
  const size_t to = round_up(end, huge_page);
  if (mprotect(base_ + usable_, to - usable_, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  usable_ = to;
  ++growths_;
}

void AddressRange::give(void* block, size_t bytes) {
  const auto offset = static_cast<size_t>(static_cast<char*>(block) - base_);
  in_use_ -= bytes;
  auto after = holes_.upper_bound(offset);
  const auto before = after == holes_.begin() ? holes_.end() : std::prev(after);
  size_t begin = offset, end = offset + bytes;
  if (after != holes_.end() && after->first == end) {
    end += after->second;
    holes_.erase(after);
  }
  if (before != holes_.end() && before->first + before->second == offset) begin = before->first;
  holes_[begin] = end - begin;
}

void AddressRange::trim() {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  for (const auto& [offset, room] : holes_) {
    const size_t begin = round_up(offset, page), end = std::min(offset + room, usable_) / page * page;
    if (begin < end) madvise(base_ + begin, end - begin, MADV_DONTNEED);
  }
  const auto [offset, room] = *holes_.rbegin();
  const size_t keep = round_up(offset, huge_page);
  if (offset + room < reserved_ || keep >= usable_) return;
  mprotect(base_ + keep, usable_ - keep, PROT_NONE);
  usable_ = keep;
}

}  // namespace eb::engine
