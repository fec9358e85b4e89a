// Blocks from one reserved range of addresses, first fit, neighbouring holes merged. Pages become usable when
// the range first grows over them and stay so until trim(). Not thread-safe: the allocator locks.
#pragma once
#include <cstddef>
#include <map>

namespace eb::engine {

class AddressRange {
 public:
  AddressRange();  // reserves the size of the physical memory, or less where a limit forbids it
  ~AddressRange();
  AddressRange(const AddressRange&) = delete;
  AddressRange& operator=(const AddressRange&) = delete;

  void* take(size_t bytes);  // bytes: a multiple of 64. Throws std::bad_alloc when the range is full.
  void give(void* block, size_t bytes);
  void trim();  // pages of all holes go back to the system

  size_t in_use() const { return in_use_; }
  size_t usable() const { return usable_; }  // bytes from the start that need no more growing
  size_t growths() const { return growths_; }

 private:
  void* carve(std::map<size_t, size_t>::iterator hole, size_t bytes);
  void grow(size_t end);

  char* base_;
  size_t reserved_, usable_ = 0, in_use_ = 0, growths_ = 0;
  std::map<size_t, size_t> holes_;  // offset -> bytes; together with the blocks they tile [0, reserved_)
};

}  // namespace eb::engine
