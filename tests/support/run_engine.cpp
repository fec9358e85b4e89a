#include "support/run_engine.h"
#include "support/paths.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace eb::test {

namespace fs = std::filesystem;

static pid_t start(const std::vector<std::string>& args, const RunOptions& options, const TempDir& dir) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  const int out =
      open((options.out.empty() ? dir / "out" : options.out.string()).c_str(), O_WRONLY | O_CREAT, 0600);
  const int err = open((dir / "err").c_str(), O_WRONLY | O_CREAT, 0600);
  dup2(out, 1);
  dup2(err, 2);
  if (chdir(options.cwd.c_str()) != 0) _exit(127);
  const rlimit limit{static_cast<rlim_t>(options.file_size_limit),
                     static_cast<rlim_t>(options.file_size_limit)};
  if (options.file_size_limit >= 0 && setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(127);
  for (const auto& entry : options.env) putenv(const_cast<char*>(entry.c_str()));
  std::vector<char*> argv;
  static const std::string binary = binary_dir() / "eb_engine";
  argv.push_back(const_cast<char*>(binary.c_str()));
  for (const auto& a : args) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  execv(binary.c_str(), argv.data());
  _exit(127);
}

Outcome run_engine(const std::vector<std::string>& args, const RunOptions& options) {
  const TempDir dir;
  const pid_t pid = start(args, options, dir);
  if (options.signal_after_ms >= 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(options.signal_after_ms));
    kill(pid, options.signal);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  Outcome o{WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), slurp(dir / "out"),
            slurp(dir / "err")};
  if (o.exit_code == 127) throw std::runtime_error("cannot run " + binary_dir().string() + "/eb_engine");
  return o;
}

TempDir::TempDir() {
  std::string pattern = (fs::temp_directory_path() / "eb_test_XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

void spit(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string tiny_config(const TempDir& dir, const std::string& extra) {
  auto config = nlohmann::json::parse(slurp(source_dir() / "tests/data_files/tiny.json"));
  config.merge_patch(nlohmann::json::parse(extra));
  const std::string path = dir / "config.json";
  spit(path, config.dump(2));
  return path;
}

}  // namespace eb::test
