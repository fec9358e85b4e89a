// The lock of a run that goes on, held by the test.
#pragma once
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

namespace eb::test {

class HeldLock {
 public:
  explicit HeldLock(const std::string& path)
      : descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == -1) throw std::runtime_error("cannot lock " + path);
  }
  ~HeldLock() { ::close(descriptor_); }
  HeldLock(const HeldLock&) = delete;
  void release() const { ::flock(descriptor_, LOCK_UN); }

 private:
  int descriptor_;
};

}  // namespace eb::test
