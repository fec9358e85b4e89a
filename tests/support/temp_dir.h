// A directory of its own for each test, gone afterwards.
#pragma once
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace eb {

class TempDir {
 public:
  // `in_memory`: for few bytes and many fsyncs, which a disk makes slow.
  explicit TempDir(bool in_memory = false) {
    const bool memory = in_memory && ::access("/dev/shm", W_OK | X_OK) == 0;
    const auto parent = memory ? "/dev/shm" : std::filesystem::temp_directory_path();
    std::string name = (parent / "eb_test_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace eb
