#include "data/file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"

namespace eb::data {

static Error unreadable(const std::filesystem::path& path, const std::string& why) {
  return Error(errors::image_unreadable, path.string() + ": " + why,
               "replace or remove it, or set data.on_bad_sample to \"skip\"");
}

static const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "is a directory";
  if (S_ISFIFO(mode)) return "is a FIFO";
  return "is a device or a socket";
}

DataFile::DataFile(std::filesystem::path path) : path_(std::move(path)) {
  // O_NONBLOCK: opening a FIFO nobody writes to would wait for ever.
  fd_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd_ < 0) throw unreadable(path_, std::strerror(errno));
  struct stat info {};
  const bool known = fstat(fd_, &info) == 0;
  size_ = static_cast<uint64_t>(info.st_size);
  if (known && S_ISREG(info.st_mode)) return;
  close(fd_);
  throw unreadable(path_,
                   std::string(known ? kind_of(info.st_mode) : std::strerror(errno)) + ", want a file");
}

DataFile::DataFile(DataFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}

DataFile::~DataFile() {
  if (fd_ >= 0) close(fd_);
}

void DataFile::read(uint64_t offset, uint8_t* out, size_t n) const {
  for (size_t done = 0; done < n;) {
    const ssize_t got = pread(fd_, out + done, n - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw unreadable(path_, std::strerror(errno));
    if (got == 0)
      throw unreadable(path_, "ends at byte " + std::to_string(offset + done) + ", it was longer before");
    done += static_cast<size_t>(got);
  }
}

Bytes read_bytes(const std::filesystem::path& path, size_t limit) {
  const DataFile file(path);
  if (file.size() > limit)
    throw unreadable(path, std::to_string(file.size()) + " bytes, want at most " + std::to_string(limit));
  Bytes bytes(file.size());
  file.read(0, bytes.data(), bytes.size());
  return bytes;
}

}  // namespace eb::data
