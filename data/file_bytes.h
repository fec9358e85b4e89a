// Reading data files: regular files only, so that a FIFO or a directory named x.jpg is an error and no hang.
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

namespace eb::data {

using Bytes = std::vector<uint8_t>;

// Error 3010 with the path: missing, unreadable, not a regular file, larger than `limit`.
Bytes read_bytes(const std::filesystem::path& path, size_t limit);

// An open file for reads from several threads.
class DataFile {
 public:
  explicit DataFile(std::filesystem::path path);
  DataFile(DataFile&& other) noexcept;
  DataFile(const DataFile&) = delete;
  DataFile& operator=(const DataFile&) = delete;
  ~DataFile();
  const std::filesystem::path& path() const { return path_; }
  uint64_t size() const { return size_; }
  void read(uint64_t offset, uint8_t* out, size_t n) const;  // all n bytes, or Error 3010

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

}  // namespace eb::data
