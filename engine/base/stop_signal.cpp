#include "engine/base/stop_signal.h"

#include <signal.h>
#include <unistd.h>

#include <initializer_list>

namespace eb::engine {

static volatile sig_atomic_t stop_requested = 0, kill_requests = 0;

static void on_signal(int signal) {
  stop_requested = 1;
  if (signal == SIGUSR1) return;  // a batch system sends it ahead of SIGTERM
  if (kill_requests) ::_exit(128 + signal);
  kill_requests = 1;
}

void watch_stop_signals() {
  stop_requested = 0;
  kill_requests = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // a read of the data set goes on
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) ::sigaction(signal, &action, nullptr);
}

bool stop_signal_received() {
  return stop_requested != 0;
}

}  // namespace eb::engine
