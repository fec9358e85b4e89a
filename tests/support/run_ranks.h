// Starts tests/programs/rank_of_test under mpirun and keeps what the ranks said.
#pragma once
#include <gtest/gtest.h>
#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "support/run_engine.h"

namespace eb::test {

bool have_mpirun();
#define NEEDS_MPIRUN() \
  if (!::eb::test::have_mpirun()) GTEST_SKIP() << "no mpirun or no MPI in this build"

struct RanksRun {
  int ranks = 2;  // 0: the program alone, without mpirun
  std::vector<std::string> words, env;
  std::function<void(pid_t)> during = {};  // while they run: told the process that was started
};

struct RanksOutcome : Outcome {
  double seconds = 0;  // from the end of `during` to the end of mpirun
};

RanksOutcome run_ranks(const RanksRun& run);

// The process of a rank in mode `steps`, once it is in its loop: DIR/RANK.pid.
int pid_of_rank(const std::string& directory, int rank);

}  // namespace eb::test
