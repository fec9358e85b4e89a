#include "engine/base/stop_signal.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "support/child.h"

namespace eb::engine {

TEST(StopSignal, the_first_one_only_sets_the_flag) {
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) {
    const int status = run_in_child([&] {
      watch_stop_signals();
      if (stop_signal_received()) return 1;
      ::raise(signal);
      return stop_signal_received() ? 0 : 2;
    });
    EXPECT_EQ(status, 0) << signal;
  }
}

TEST(StopSignal, the_second_one_ends_the_process) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const int status = run_in_child([&] {
      watch_stop_signals();
      ::raise(SIGINT);
      ::raise(signal);
      return 0;
    });
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 128 + signal);
  }
}

TEST(StopSignal, a_warning_before_sigterm_does_not_count) {
  const int status = run_in_child([&] {
    watch_stop_signals();
    ::raise(SIGUSR1);
    ::raise(SIGTERM);
    ::raise(SIGUSR1);
    return stop_signal_received() ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

}  // namespace eb::engine
