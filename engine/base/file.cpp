#include "engine/base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/fault.h"
#include "engine/base/text.h"

namespace eb::engine {

using Kind = FileOperation::Kind;

static std::function<void(const FileOperation&)> observer_;

void observe_files(std::function<void(const FileOperation&)> observer) {
  observer_ = std::move(observer);
}

static void note(const FileOperation& operation) {
  if (observer_) observer_(operation);
}

static std::string next_step(int error) {
  switch (error) {
    case ENOSPC:
      return "free some space, or write to another disk";
    case EDQUOT:
      return "free some of your quota, or write to another disk";
    case EFBIG:
      return "raise the limit on the size of a file (ulimit -f)";
    case EACCES:
    case EPERM:
      return "change its permissions or its directory's, or name another place";
    case EROFS:
      return "it is mounted read-only; name another place";
    case ENOENT:
      return "check the path: it, or the directory it lies in, does not exist";
    case ENOTDIR:
      return "check the path: a part of it is a file";
    case EISDIR:
      return "name a file";
    case EEXIST:
      return "name one that does not exist yet";
    case ENAMETOOLONG:
      return "choose a shorter name";
    case ELOOP:
      return "check the path: its symbolic links lead in a circle";
    case EMFILE:
    case ENFILE:
      return "raise the limit on open files (ulimit -n)";
    default:
      return "the file system refused; see the kernel's log (dmesg)";
  }
}

Error file_error(const std::string& doing, const fs::path& path, int error) {
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return Error(full ? errors::disk_full : errors::file_failed,
               "cannot " + doing + " " + quote_path(path) + ": " + std::strerror(error), next_step(error));
}

// Runs a system call again while a signal interrupts it; an injected fault takes its place.
template <class F>
static auto retried(fault::Call kind, F call) -> decltype(call()) {
  if (const int error = fault::inject(kind); error > 0) {
    errno = error;
    return -1;
  }
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

File::File(const fs::path& path, int open_flags) : path_(path) {
  const auto open = [&] { return ::open(path.c_str(), open_flags | O_CLOEXEC, 0666); };
  const bool creates = (open_flags & O_CREAT) != 0;
  if (creates) {
    fd_ = retried(fault::Call::create, open);
  } else {
    do fd_ = open();
    while (fd_ == -1 && errno == EINTR);
  }
  if (fd_ == -1) throw file_error(creates ? "create" : "open", path, errno);
  if (creates) note({Kind::create, path});
}

File::File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  return *this;
}

File::~File() {
  if (fd_ != -1) ::close(fd_);
}

void File::write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const int fault = fault::inject(fault::Call::write);
    const size_t size = fault == fault::short_write ? (bytes.size() + 1) / 2 : bytes.size();
    if (fault > 0) errno = fault;
    const ssize_t n = fault > 0 ? -1 : ::write(fd_, bytes.data(), size);
    if (n == -1 && errno == EINTR) continue;
    if (n == -1) throw file_error("write", path_, errno);
    note({Kind::write, path_, {}, bytes.substr(0, static_cast<size_t>(n))});
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

void File::sync() const {
  if (retried(fault::Call::fsync, [&] { return ::fsync(fd_); }) == -1) throw file_error("sync", path_, errno);
  note({Kind::sync, path_});
}

void File::truncate(int64_t size) const {
  if (retried(fault::Call::write, [&] { return ::ftruncate(fd_, size); }) == -1)
    throw file_error("truncate", path_, errno);
  note({Kind::truncate, path_, {}, {}, size});
}

// EINTR from close() is not repeated: on Linux the descriptor is gone, and another thread may own its number.
void File::close() {
  const int fd = std::exchange(fd_, -1);
  if (fd != -1 && ::close(fd) == -1 && errno != EINTR) throw file_error("close", path_, errno);
}

static const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "not a regular file";
}

std::string read_file(const fs::path& path, size_t limit) {
  const File file(path, O_RDONLY | O_NONBLOCK);
  struct stat status {};
  if (::fstat(file.descriptor(), &status) == -1) throw file_error("read", path, errno);
  const std::string name = quote_path(path);
  if (!S_ISREG(status.st_mode))
    throw Error(errors::file_failed, "cannot read " + name + ": it is " + kind_of(status.st_mode),
                "name a regular file");
  const size_t size = static_cast<size_t>(status.st_size);
  if (size > limit)
    throw Error(errors::file_failed, "cannot read " + name + ": it has " + std::to_string(size) +
                                         " bytes, more than the " + std::to_string(limit) + " allowed");
  std::string bytes(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t n = ::read(file.descriptor(), bytes.data() + done, size - done);
    if (n == -1 && errno == EINTR) continue;
    if (n == -1) throw file_error("read", path, errno);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

void write_file_synced(const fs::path& path, std::string_view bytes) {
  File file(path, O_WRONLY | O_CREAT | O_TRUNC);
  file.write(bytes);
  file.sync();
  file.close();
}

static fs::path parent_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? "." : parent;
}

// Where the bytes go: the end of a chain of symbolic links, which stay. Error 8001 for what is no file: a
// rename would put one in place of the pipe or the device.
static fs::path target_of(const fs::path& given) {
  struct stat status {};
  if (::stat(given.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    throw Error(errors::file_failed,
                "cannot write " + quote_path(given) + ": it is " + kind_of(status.st_mode),
                "name a regular file, or one that does not exist yet");
  constexpr int most_links = 40;  // as the kernel
  fs::path path = given;
  std::error_code error;
  for (int links = 0; fs::is_symlink(fs::symlink_status(path, error)); ++links) {
    if (links == most_links) throw file_error("write", given, ELOOP);
    const fs::path to = fs::read_symlink(path, error);
    if (error) throw file_error("write", given, error.value());
    path = parent_of(path) / to;  // an absolute one replaces all
  }
  return path;
}

void replace_file(const fs::path& given, std::string_view bytes) {
  const fs::path path = target_of(given);
  const fs::path temporary =
      parent_of(path) / (".tmp-" + path.filename().string() + "-" + std::to_string(::getpid()));
  try {
    write_file_synced(temporary, bytes);
    rename_synced(temporary, path);
  } catch (const Error& e) {
    ::unlink(temporary.c_str());
    // The name a person knows, beside the one that failed.
    throw Error(e.code(), "cannot write " + quote_path(given) + ": " + e.message(), e.hint());
  }
}

void rename_synced(const fs::path& from, const fs::path& to) {
  if (retried(fault::Call::rename, [&] { return ::rename(from.c_str(), to.c_str()); }) == -1)
    throw file_error("rename " + quote_path(from) + " to", to, errno);
  note({Kind::rename, from, to});
  sync_directory(parent_of(to));
}

bool exchange_synced(const fs::path& a, const fs::path& b) {
  const auto exchange = [&] {
    return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE);
  };
  const bool done = retried(fault::Call::rename, exchange) == 0;
  if (!done && (errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP)) return false;
  if (!done) throw file_error("exchange " + quote_path(a) + " with", b, errno);
  note({Kind::exchange, a, b});
  sync_directory(parent_of(b));
  return true;
}

void sync_directory(const fs::path& path) {
  File directory(path, O_RDONLY | O_DIRECTORY);
  if (retried(fault::Call::fsync, [&] { return ::fsync(directory.descriptor()); }) == -1)
    throw file_error("sync", path, errno);
  note({Kind::sync_directory, path});
  directory.close();
}

void make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw file_error("create directory", path, error.value());
}

void make_directory(const fs::path& path) {
  if (retried(fault::Call::create, [&] { return ::mkdir(path.c_str(), 0777); }) == -1)
    throw file_error("create directory", path, errno);
  note({Kind::make_directory, path});
}

void remove_tree(const fs::path& path) {
  std::error_code error;
  const int fault = fault::inject(fault::Call::remove);
  if (fault <= 0) fs::remove_all(path, error);
  if (fault > 0 || error) throw file_error("remove", path, fault > 0 ? fault : error.value());
  note({Kind::remove, path});
}

void require_disk_space(const fs::path& directory, uint64_t bytes) {
  struct statvfs space {};
  if (::statvfs(directory.c_str(), &space) == -1) throw file_error("see the free space of", directory, errno);
  const uint64_t available = uint64_t{space.f_bavail} * space.f_frsize;
  if (available >= bytes) return;
  throw Error(errors::disk_too_small,
              "the disk of " + quote_path(directory) + " has " + std::to_string(available >> 20) +
                  " MiB free, the checkpoints need " + std::to_string((bytes >> 20) + 1),
              "free some space, point --out at another disk, or lower checkpoint.keep_last");
}

}  // namespace eb::engine
