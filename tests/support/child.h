// Runs code in a child process: for tests that kill it, limit it or send it signals.
#pragma once
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace eb {

// The wait status of a child that ran `body` and then left with its result, without the parent's exit
// handlers.
inline int run_in_child(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    int code = 99;
    try {
      code = body();
    } catch (...) {
    }
    ::_exit(code);
  }
  int status = -1;
  while (::waitpid(pid, &status, 0) == -1 && errno == EINTR) {
  }
  return status;
}

}  // namespace eb
