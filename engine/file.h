// The file layer: every byte that must survive a crash goes through here, so that tests can make the n-th call
// fail, cut it short or kill the process. Errors are 8001 (I/O) and 8002 (disk full) and name the path.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

namespace eb::engine {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path, size_t limit = size_t{1} << 34);  // regular files only, O_NOFOLLOW-free
void write_file_synced(const fs::path& path, std::string_view bytes);         // create, write, fsync, close: all checked
void replace_file(const fs::path& path, std::string_view bytes);              // temp + fsync + rename + fsync(parent)
void rename_synced(const fs::path& from, const fs::path& to);                 // rename + fsync(parent of `to`)
void sync_directory(const fs::path& path);

// Fault injection (tests, and EB_FAULT=kill@rename:3 or enospc@write:2 for kill_test): acts before the n-th call
// of that kind in this process. Kinds: write, fsync, rename. Actions: kill, enospc, short.
void set_fault(const std::string& spec);

}  // namespace eb::engine
