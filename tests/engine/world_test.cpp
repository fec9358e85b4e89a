// The parts of World that need no second process: what a launcher's variables mean, who is behind, what
// differs.
#include <gtest/gtest.h>

#include <map>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/fault.h"
#include "engine/base/file.h"
#include "engine/world/compare.h"
#include "engine/world/launcher.h"
#include "engine/world/watchdog.h"
#include "engine/world/world.h"
#include "support/error_code.h"

namespace eb::engine {
namespace {

Launch launch_in(const std::map<std::string, std::string>& variables) {
  return launch_of([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(Launch, is_read_from_the_environment) {
  EXPECT_FALSE(launch_in({}).by_ranks());
  const Launch mpirun = launch_in({{"OMPI_COMM_WORLD_SIZE", "4"}, {"OMPI_COMM_WORLD_RANK", "3"}});
  EXPECT_EQ(mpirun.by, Launch::By::open_mpi);
  EXPECT_EQ(mpirun.size, 4);
  EXPECT_EQ(mpirun.rank, 3);
  const Launch srun =
      launch_in({{"PMIX_RANK", "1"}, {"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "16"}});
  EXPECT_EQ(srun.by, Launch::By::pmix);
  EXPECT_EQ(srun.size, 16);
  EXPECT_EQ(srun.rank, 1);
}

TEST(Launch, of_mpirun_inside_a_slurm_job_is_mpirun_s) {
  const Launch both = launch_in({{"OMPI_COMM_WORLD_SIZE", "2"},
                                 {"OMPI_COMM_WORLD_RANK", "0"},
                                 {"PMIX_RANK", "0"},
                                 {"SLURM_STEP_ID", "1"},
                                 {"SLURM_PROCID", "0"},
                                 {"SLURM_NTASKS", "16"}});
  EXPECT_EQ(both.by, Launch::By::open_mpi);
  EXPECT_EQ(both.size, 2);
}

TEST(Launch, body_of_a_batch_script_and_a_step_of_one_task_are_one_process) {
  EXPECT_FALSE(launch_in({{"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "16"}}).by_ranks());
  EXPECT_FALSE(launch_in({{"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "1"}}).by_ranks());
  EXPECT_FALSE(launch_in({{"OMPI_COMM_WORLD_SIZE", "many"}}).by_ranks());
}

TEST(Launch, that_mpi_does_not_confirm_is_refused) {
  const Launch slurm = launch_in({{"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "8"}});
  EXPECT_EQ(test::code_of([&] { check_launch(slurm, 1); }), errors::launcher_disagrees);
  EXPECT_EQ(test::code_of([&] {
              check_launch(launch_in({{"OMPI_COMM_WORLD_SIZE", "2"}}), 1);
            }),
            errors::launcher_disagrees);
  EXPECT_EQ(test::code_of([&] { check_wired(slurm); }), errors::launcher_disagrees);
  EXPECT_NO_THROW(check_wired(
      launch_in({{"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "8"}, {"PMI_RANK", "1"}})));
  EXPECT_NO_THROW(check_wired(launch_in({{"PMIX_RANK", "1"}})));
  EXPECT_NO_THROW(check_wired({}));
  EXPECT_NO_THROW(check_launch(slurm, 8));
  EXPECT_NO_THROW(check_launch({}, 1));
}

TEST(Launch, bound_to_one_core_is_warned_of) {
  EXPECT_NE(warning_of_binding(1, 64).find("--bind-to none"), std::string::npos);
  EXPECT_EQ(warning_of_binding(2, 64), "");
  EXPECT_EQ(warning_of_binding(1, 1), "");
}

RankProgress at(uint64_t entered, uint64_t left) {
  RankProgress p;
  p.entered = entered, p.left = left;
  return p;
}

const std::vector<double> heard = {0, 1, 1};

TEST(Watchdog, blames_who_has_not_entered_the_call_of_the_others) {
  EXPECT_EQ(who_is_behind({at(7, 6), at(6, 6), at(7, 6)}, heard, 5), std::vector<int>{1});
  EXPECT_EQ(who_is_behind({at(6, 6), at(7, 6), at(7, 6)}, heard, 5), std::vector<int>{0});
  EXPECT_EQ(who_is_behind({at(6, 6), at(7, 6), at(6, 6)}, heard, 5), (std::vector<int>{0, 2}));
}

// Rank 2 has left call 6, in which rank 0 still is because rank 1 never came; call 7 needs all of them.
TEST(Watchdog, does_not_blame_who_waits) {
  EXPECT_EQ(who_is_behind({at(6, 5), at(5, 5), at(7, 6)}, heard, 5), std::vector<int>{1});
  EXPECT_TRUE(who_is_behind({at(6, 5), at(6, 5), at(6, 5)}, heard, 5).empty());
}

// A rank still inside a call that another has left: it is the one that does not get on.
TEST(Watchdog, blames_who_stays_in_a_call_that_others_have_left) {
  EXPECT_EQ(who_is_behind({at(7, 6), at(6, 5), at(7, 6)}, heard, 5), std::vector<int>{1});
}

TEST(Watchdog, blames_the_silent_before_all_others) {
  EXPECT_EQ(who_is_behind({at(6, 6), at(7, 6), at(7, 6)}, {0, 1, 9}, 5), std::vector<int>{2});
}

TEST(RanksCompared, protocol_is_64_bytes_and_another_one_is_refused) {
  const std::string ours = protocol_message();
  EXPECT_EQ(ours.size(), 64u);
  EXPECT_EQ(protocol_difference({ours, ours}), "");
  std::string other = "eb_engine rank, protocol 999";
  other.resize(64, ' ');
  const std::string said = protocol_difference({ours, ours, other});
  EXPECT_NE(said.find("rank 2"), std::string::npos) << said;
  EXPECT_NE(said.find("protocol 999\""), std::string::npos) << said;
}

TEST(RanksCompared, table_has_field_value_and_ranks) {
  const NamedValues a = {{"config", "1"}, {"data", "x"}}, b = {{"config", "1"}, {"data", "y"}},
                    without = {{"config", "1"}};
  EXPECT_EQ(table_of_differences({a, a, a}), "");
  EXPECT_EQ(table_of_differences({a, b, b, a, b}), "    data: x (ranks 0, 3), y (ranks 1-2, 4)");
  EXPECT_EQ(table_of_differences({a, without}), "    data: (nothing) (rank 1), x (rank 0)");
  EXPECT_EQ(fields_of({message_of(a), message_of(b)}), (std::vector<NamedValues>{a, b}));
}

TEST(RanksCompared, state_that_differs_is_the_minority_s) {
  const NamedValues a = {{"values", "1"}, {"momentum", "2"}}, b = {{"values", "1"}, {"momentum", "3"}};
  const std::vector<std::string> hosts = {"h0", "h0", "h1"};
  EXPECT_EQ(parts_that_differ({a, a, a}, hosts), "");
  EXPECT_EQ(parts_that_differ({a, a, b}, hosts), "momentum of rank 2 on h1");
  EXPECT_EQ(parts_that_differ({b, a, a}, hosts), "momentum of rank 0 on h0");
  const std::string two = parts_that_differ({a, b}, {"h0", "h1"});
  EXPECT_NE(two.find("rank 0"), std::string::npos) << two;
  EXPECT_NE(two.find("rank 1"), std::string::npos) << two;
  EXPECT_NE(two.find("no value has a majority"), std::string::npos) << two;
}

TEST(World, of_one_answers_itself) {
  World world;
  EXPECT_EQ(world.size(), 1);
  EXPECT_TRUE(world.leads());
  EXPECT_EQ(world.all_gather("a"), std::vector<std::string>{"a"});
  EXPECT_EQ(world.broadcast("a"), "a");
  EXPECT_TRUE(world.agree_now({.stop = true}).stop);
  const float sent[] = {1, 2};
  float received[2] = {};
  world.exchange(kernels::Device::cpu, sent, received, 2);
  world.gather(kernels::Device::cpu, received, 2);
  EXPECT_EQ(received[1], 2);
  EXPECT_NO_THROW(world.handshake({{"data", "x"}}));
  EXPECT_NO_THROW(world.barrier());
  EXPECT_NO_THROW(world.finish());
}

TEST(RankFault, happens_once_in_its_rank_at_its_place) {
  set_fault("hang@exchange:1");
  EXPECT_FALSE(fault::of_rank("hang", "exchange", 0));
  EXPECT_FALSE(fault::of_rank("hang", "gather", 1));
  EXPECT_TRUE(fault::of_rank("hang", "exchange", 1));
  EXPECT_FALSE(fault::of_rank("hang", "exchange", 1));
  EXPECT_EQ(test::code_of([] { set_fault("hang@exchange:"); }), errors::bad_fault);
  EXPECT_EQ(test::code_of([] { set_fault("dance@exchange:1"); }), errors::bad_fault);
  set_fault("");
}

}  // namespace
}  // namespace eb::engine
