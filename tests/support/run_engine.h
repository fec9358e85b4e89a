// Runs the real binary as a user would and keeps what it said.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace eb::test {

struct Outcome {
  int exit_code = -1;  // 128 + signal if it was killed
  std::string out, err;
};

// env entries are "NAME=value"; signal_after_ms >= 0 sends `signal` then.
struct RunOptions {
  std::vector<std::string> env;
  int signal = 0, signal_after_ms = -1;
  std::filesystem::path cwd = ".";
  std::filesystem::path out;     // where stdout goes; empty: into Outcome::out
  int64_t file_size_limit = -1;  // bytes (ulimit -f); < 0: none
};

Outcome run_engine(const std::vector<std::string>& args, const RunOptions& options = {});

// A directory that goes away with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

std::string slurp(const std::filesystem::path& path);
void spit(const std::filesystem::path& path, const std::string& text);

// A network and data set so small that a whole Early-Bird run takes a second or two; `extra` is merged on
// top.
std::string tiny_config(const TempDir& dir, const std::string& extra = "{}");

}  // namespace eb::test
