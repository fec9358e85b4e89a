// The file layer: every byte that must survive a crash goes through here, so that tests can make the n-th
// call fail, cut it short or kill the process. Errors are 8001 (I/O) and 8002 (disk full) and name the path.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "engine/base/error.h"

namespace eb::engine {

namespace fs = std::filesystem;

// An open file. The destructor closes it and cannot report; whoever wrote something calls close().
class File {
 public:
  File() = default;
  File(const fs::path& path, int open_flags);  // O_CLOEXEC is added; a created file has mode 0666 & ~umask
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();
  void write(std::string_view bytes) const;  // all of them, in one call if the system takes them in one
  void sync() const;
  void truncate(int64_t size) const;
  void close();
  int descriptor() const { return fd_; }
  const fs::path& path() const { return path_; }

 private:
  int fd_ = -1;
  fs::path path_;
};

// Regular files only (a pipe cannot block us, a device cannot feed us forever), at most `limit` bytes.
std::string read_file(const fs::path& path, size_t limit = size_t{1} << 34);
void write_file_synced(const fs::path& path,
                       std::string_view bytes);  // create, write, fsync, close: all checked
// temp + fsync + rename + fsync(parent). Follows symbolic links; error 8001 for what is there and no file.
void replace_file(const fs::path& path, std::string_view bytes);
void rename_synced(const fs::path& from, const fs::path& to);  // rename + fsync(parent of `to`)
// Both exist and swap names in one step; false if the file system cannot do that.
bool exchange_synced(const fs::path& a, const fs::path& b);
void sync_directory(const fs::path& path);
void make_directory(const fs::path& path);    // must not exist; its parent must
void make_directories(const fs::path& path);  // with its parents; fine if it is there
void remove_tree(const fs::path& path);       // fine if it is not there

// 8002 if `error` (an errno) says that the disk is full, else 8001: "cannot write "x": reason" and a next
// step.
Error file_error(const std::string& doing, const fs::path& path, int error);

// Error 8003 unless the file system of `directory` has that many bytes to spare (quotas are not visible
// here).
void require_disk_space(const fs::path& directory, uint64_t bytes);

// Fault injection: "kill@rename:3" acts before the third rename of this process, "enospc@write:2+" on the
// second write and all later ones. Actions: kill, enospc, eio, enosys, short (writes half). Calls: create,
// write, fsync, rename, remove. "" removes the fault. Error 2022 for anything else.
void set_fault(const std::string& spec);
void set_fault_from_environment();  // EB_FAULT, if set

// What the layer did, in order, for tests that replay it up to an imagined power loss.
struct FileOperation {
  enum class Kind : uint8_t {
    create,
    write,
    truncate,
    sync,
    sync_directory,
    rename,
    exchange,
    make_directory,
    remove
  };
  Kind kind;
  fs::path path, to;
  std::string_view bytes;  // of a write
  int64_t size = 0;        // of a truncate
};
void observe_files(std::function<void(const FileOperation&)> observer);  // nullptr: nobody

}  // namespace eb::engine
