// Ranks as processes under mpirun: what they move, agree on and refuse, and how they end when one of them is
// stuck, stopped, killed or in error.
#include <signal.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "support/run_ranks.h"

namespace eb::test {
namespace {

using Words = std::vector<std::string>;

void expect_in(const std::string& text, const Words& words) {
  for (const std::string& word : words)
    EXPECT_NE(text.find(word), std::string::npos) << word << " in:\n" << text;
}

class WorldRanks : public testing::TestWithParam<int> {};

TEST_P(WorldRanks, move_bytes_to_the_right_places) {
  NEEDS_MPIRUN();
  const RanksOutcome o = run_ranks({.ranks = GetParam(), .words = {"moves"}});
  EXPECT_EQ(o.exit_code, 0) << o.err;
  const std::string n = std::to_string(GetParam());
  EXPECT_EQ(o.out, "rank 0 of " + n + ", " + n + " on this host, 1 hosts\n");
}
INSTANTIATE_TEST_SUITE_P(, WorldRanks, testing::Values(1, 2, 3, 4));

TEST(World, agrees_at_the_same_step_everywhere) {
  NEEDS_MPIRUN();
  const RanksOutcome o = run_ranks({.ranks = 3, .words = {"agrees"}});
  EXPECT_EQ(o.exit_code, 0) << o.err;
}

TEST(World, of_one_process_needs_no_mpi) {
  const RanksOutcome o = run_ranks({.ranks = 0, .words = {"nothing"}, .env = {"LD_DEBUG=files"}});
  EXPECT_EQ(o.exit_code, 0);
  EXPECT_EQ(o.out, "rank 0 of 1, 1 on this host, 1 hosts\n");
  EXPECT_EQ(o.err.find("libmpi"), std::string::npos);
  EXPECT_EQ(o.err.find("eb_mpi"), std::string::npos);
}

TEST(World, names_what_differs_on_every_rank) {
  NEEDS_MPIRUN();
  const RanksOutcome o = run_ranks({.ranks = 3, .words = {"differs", "data", "1"}});
  EXPECT_EQ(o.exit_code, 9);
  EXPECT_LT(o.seconds, 5);
  expect_in(o.err, {"EB9001", "data: 2e (ranks 0, 2), other (rank 1)"});
  EXPECT_EQ(o.err.find("shards:"), std::string::npos) << o.err;
}

TEST(World, of_equal_fields_goes_on) {
  NEEDS_MPIRUN();
  EXPECT_EQ(run_ranks({.words = {"differs", "none", "1"}}).exit_code, 0);
  EXPECT_EQ(run_ranks({.words = {"state", "none", "1"}}).exit_code, 0);
}

TEST(World, names_the_part_and_rank_of_another_state) {
  NEEDS_MPIRUN();
  const RanksOutcome o = run_ranks({.ranks = 3, .words = {"state", "momentum", "2"}});
  EXPECT_EQ(o.exit_code, 9);
  expect_in(o.err, {"EB9005", "after epoch 3", "momentum of rank 2"});
  EXPECT_EQ(o.err.find("values"), std::string::npos) << o.err;
}

// mpirun ends the others, who wait, and returns the code.
TEST(World, exit_code_of_a_rank_reaches_the_caller) {
  NEEDS_MPIRUN();
  for (const int code : {3, 8}) {
    const RanksOutcome o = run_ranks({.words = {"exits", "1", std::to_string(code)}});
    EXPECT_EQ(o.exit_code, code) << o.err;
    expect_in(o.err, {"error[EB" + std::to_string(code) + "001]: of this rank"});
  }
}

// Within a few seconds: mpirun may end a moment before the ranks that it has killed. A zombie waits for
// whoever adopts it.
bool gone(int pid) {
  const std::string stat = "/proc/" + std::to_string(pid) + "/stat";
  for (int tries = 0; tries < 500; ++tries) {
    if (const std::string text = slurp(stat); text.empty() || text.find(") Z") != std::string::npos)
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

constexpr double timeout = 3;

// As in `steps`, with something done to a rank.
RanksOutcome faulty(const TempDir& dir, int ranks, const Words& env,
                    const std::function<void(pid_t)>& during) {
  return run_ranks({.ranks = ranks,
                    .words = {"steps", dir.path(), std::to_string(timeout)},
                    .env = env,
                    .during = during});
}

void expect_names(const RanksOutcome& o, const TempDir& dir, int rank) {
  EXPECT_EQ(o.exit_code, 9);
  EXPECT_LT(o.seconds, timeout + 5);
  expect_in(o.err, {"EB9003", "rank " + std::to_string(rank) + " (process "});
  const auto crash = nlohmann::json::parse(slurp(dir / "crash/ranks.json"));
  EXPECT_EQ(crash["behind"], nlohmann::json::array({rank}));
}

TEST(WorldFaults, a_rank_stuck_before_a_call_is_named) {
  NEEDS_MPIRUN();
  const TempDir dir;
  const RanksOutcome o =
      faulty(dir, 3, {"EB_FAULT=hang@exchange:1"}, [&](pid_t) { pid_of_rank(dir.path(), 1); });
  expect_names(o, dir, 1);
  expect_in(o.err, {"in train"});
}

TEST(WorldFaults, the_first_rank_names_itself) {
  NEEDS_MPIRUN();
  const TempDir dir;
  expect_names(faulty(dir, 2, {"EB_FAULT=hang@gather:0"}, [&](pid_t) { pid_of_rank(dir.path(), 0); }), dir,
               0);
}

TEST(WorldFaults, a_stopped_rank_is_named) {
  NEEDS_MPIRUN();
  const TempDir dir;
  int stopped = 0;
  const RanksOutcome o =
      faulty(dir, 3, {}, [&](pid_t) { ::kill(stopped = pid_of_rank(dir.path(), 2), SIGSTOP); });
  expect_names(o, dir, 2);
  EXPECT_TRUE(gone(stopped));
}

// Nobody is left who could name it: each of the others ends by itself, two seconds later.
TEST(WorldFaults, a_stopped_first_rank_ends_the_others) {
  NEEDS_MPIRUN();
  const TempDir dir;
  const RanksOutcome o = faulty(dir, 2, {}, [&](pid_t) { ::kill(pid_of_rank(dir.path(), 0), SIGSTOP); });
  EXPECT_EQ(o.exit_code, 9);
  EXPECT_LT(o.seconds, timeout + 5);
  expect_in(o.err, {"EB9003", "nothing from rank 0"});
}

TEST(WorldFaults, a_killed_rank_ends_the_job_within_three_seconds) {
  NEEDS_MPIRUN();
  for (const int rank : {0, 1}) {
    const TempDir dir;
    int other = 0;
    const RanksOutcome o = faulty(dir, 2, {}, [&](pid_t) {
      other = pid_of_rank(dir.path(), 1 - rank);
      ::kill(pid_of_rank(dir.path(), rank), SIGKILL);
    });
    EXPECT_EQ(o.exit_code, 137) << o.err;
    EXPECT_LT(o.seconds, 3);
    EXPECT_TRUE(gone(other));
  }
}

TEST(WorldFaults, a_slow_phase_has_ten_times_the_time) {
  NEEDS_MPIRUN();
  EXPECT_EQ(run_ranks({.words = {"lags", "4", "3", "evaluate"}}).exit_code, 0);
  const RanksOutcome o = run_ranks({.words = {"lags", "30", "3", "train"}});
  EXPECT_EQ(o.exit_code, 9);
  expect_in(o.err, {"rank 1 (process "});
}

// What srun without PMIx leaves: each task is told of two, and MPI would see one or end the process itself.
TEST(WorldLaunch, srun_without_pmix_is_refused_by_name) {
  NEEDS_MPIRUN();
  const RanksOutcome o = run_ranks({.ranks = 0,
                                    .words = {"nothing"},
                                    .env = {"SLURM_STEP_ID=0", "SLURM_NTASKS=2", "SLURM_PROCID=1",
                                            "SLURM_JOBID=7", "SLURM_STEPID=0", "SLURM_NODELIST=here"}});
  EXPECT_EQ(o.exit_code, 9) << o.err;
  expect_in(o.err, {"EB9008", "--mpi=pmix"});
}

// A batch script that starts the program without srun: its variables speak of tasks that nobody started.
TEST(WorldLaunch, body_of_a_batch_script_is_one_process) {
  const RanksOutcome o =
      run_ranks({.ranks = 0, .words = {"nothing"}, .env = {"SLURM_NTASKS=2", "SLURM_JOB_ID=7"}});
  EXPECT_EQ(o.exit_code, 0) << o.err;
}

// `--ranks N`: the program starts itself.
TEST(RunAsRanks, starts_that_many_and_returns_their_code) {
  NEEDS_MPIRUN();
  const RanksOutcome o = run_ranks({.ranks = 0, .words = {"ranks", "3", "nothing"}});
  EXPECT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(o.out, "rank 0 of 3, 3 on this host, 1 hosts\n");
  EXPECT_EQ(o.err, "");
  EXPECT_EQ(run_ranks({.ranks = 0, .words = {"ranks", "2", "exits", "1", "7"}}).exit_code, 7);
  EXPECT_EQ(run_ranks({.ranks = 0, .words = {"ranks", "1", "nothing"}}).out,
            "rank 0 of 1, 1 on this host, 1 hosts\n");
}

TEST(RunAsRanks, under_a_launcher_says_the_same_or_is_refused) {
  NEEDS_MPIRUN();
  EXPECT_EQ(run_ranks({.words = {"ranks", "2", "nothing"}}).out, "rank 0 of 2, 2 on this host, 1 hosts\n");
  const RanksOutcome o = run_ranks({.words = {"ranks", "3", "nothing"}});
  EXPECT_EQ(o.exit_code, 9);
  expect_in(o.err, {"EB9008", "--ranks 3, but the launcher started 2"});
}

TEST(RunAsRanks, without_mpirun_says_what_to_install) {
  const RanksOutcome o =
      run_ranks({.ranks = 0, .words = {"ranks", "2", "nothing"}, .env = {"PATH=/nowhere"}});
  EXPECT_EQ(o.exit_code, 9);
  expect_in(o.err, {"EB9010", "install openmpi-bin"});
}

// The first signal asks all ranks, through mpirun, for a checkpoint; longer than mpirun leaves a rank after a
// SIGTERM.
TEST(RunAsRanks, first_signal_leaves_time_for_a_checkpoint) {
  NEEDS_MPIRUN();
  for (const int signal : {SIGINT, SIGTERM}) {
    const TempDir dir;
    const RanksOutcome o =
        run_ranks({.ranks = 0, .words = {"ranks", "2", "stops", dir.path()}, .during = [&](pid_t pid) {
                     for (const int rank : {0, 1}) pid_of_rank(dir.path(), rank);
                     ::kill(pid, signal);
                   }});
    EXPECT_EQ(o.exit_code, 75) << o.err;
    EXPECT_EQ(slurp(dir / "checkpoint"), "written\n");
  }
}

TEST(RunAsRanks, a_signal_to_one_rank_is_enough) {
  NEEDS_MPIRUN();
  const TempDir dir;
  const RanksOutcome o =
      run_ranks({.ranks = 0, .words = {"ranks", "3", "stops", dir.path()}, .during = [&](pid_t) {
                   ::kill(pid_of_rank(dir.path(), 1), SIGTERM);
                 }});
  EXPECT_EQ(o.exit_code, 75) << o.err;
  EXPECT_EQ(slurp(dir / "checkpoint"), "written\n");
}

// Nobody could stop ranks whose parent is gone.
TEST(RunAsRanks, killed_takes_its_ranks_along) {
  NEEDS_MPIRUN();
  const TempDir dir;
  std::vector<int> ranks;
  run_ranks({.ranks = 0, .words = {"ranks", "2", "steps", dir.path(), "60"}, .during = [&](pid_t pid) {
               for (const int rank : {0, 1}) ranks.push_back(pid_of_rank(dir.path(), rank));
               ::kill(pid, SIGKILL);
             }});
  for (const int rank : ranks) EXPECT_TRUE(gone(rank));
}

}  // namespace
}  // namespace eb::test
