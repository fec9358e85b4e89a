#include "tools/compare/child.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/stop_signal.h"

namespace eb::tools {

static pid_t start(const std::vector<std::string>& args) {
  std::vector<char*> argv;
  std::string program = "eb_engine";
  argv.push_back(program.data());
  std::vector<std::string> words = args;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid < 0) throw Error(errors::file_failed, "cannot start a process for the next run");
  if (pid > 0) return pid;
  dup2(STDERR_FILENO, STDOUT_FILENO);
  execv("/proc/self/exe", argv.data());
  _exit(127);
}

int run_self(const std::vector<std::string>& args) {
  const pid_t pid = start(args);
  bool told = false;
  for (int status = 0;;) {
    if (waitpid(pid, &status, WNOHANG) == pid)
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    // Ctrl-C reaches both; to be told twice would end the child with nothing saved, so it is told by USR1.
    if (engine::stop_signal_received() && !told) {
      kill(pid, SIGUSR1);
      told = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace eb::tools
