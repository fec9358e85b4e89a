// `bench comm`, `bench scaling` and the doctor's two ranks, started as a user would.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/run_ranks.h"
#include "tools/bench/comm_fit.h"
#include "tools/doctor/loopback.h"

namespace eb::test {
namespace {

using nlohmann::json;
using tools::LineState;

TEST(CommFit, finds_what_the_times_were_made_of) {
  const tools::CommFit f = tools::fit({{1e3, 6e-6}, {1e6, 1.005e-3}, {1e8, 0.100005}});
  EXPECT_NEAR(f.alpha, 5e-6, 1e-9);
  EXPECT_NEAR(f.beta, 1e9, 1e4);
  EXPECT_EQ(tools::fit({{1e3, 1e-3}, {1e6, 1e-3}}).seconds(1e9), 1e-3) << "times that do not grow";
  EXPECT_EQ(tools::wire_bytes(100, 2), 100);
  EXPECT_EQ(tools::wire_bytes(100, 4), 150);
}

TEST(BenchComm, has_a_row_for_each_size_with_both_times) {
  NEEDS_MPIRUN();
  const Outcome o =
      run_engine({"bench", "comm", "--ranks", "2", "--max-mib", "1", "--seconds", "0.01", "--json"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  const json all = json::parse(o.out);
  EXPECT_EQ(all["ranks"], 2);
  ASSERT_EQ(all["rows"].size(), 5u) << "4 KiB to 1 MiB";
  for (const json& row : all["rows"])
    for (const char* key : {"ours_ms", "mpi_ms", "ratio", "wire_bytes"})
      EXPECT_GT(row.value(key, 0.), 0) << row;
  EXPECT_EQ(all["networks"].size(), 4u);
  EXPECT_EQ(all["networks"][0]["name"], "vgg16");
}

TEST(BenchComm, refuses_ranks_by_name) {
  for (const char* ranks : {"0", "1", "65", "two"}) {
    const Outcome o = run_engine({"bench", "comm", "--ranks", ranks});
    EXPECT_EQ(o.exit_code, 2) << ranks;
    EXPECT_NE(o.err.find("--ranks"), std::string::npos) << o.err;
  }
  for (const char* ranks : {"0", "1,65", "1,two"}) {
    const Outcome o = run_engine({"bench", "scaling", "models/vgg16.json", "--ranks", ranks});
    EXPECT_EQ(o.exit_code, 2) << ranks;
    EXPECT_NE(o.err.find("--ranks"), std::string::npos) << o.err;
  }
}

TEST(BenchComm, says_that_there_is_no_mpirun) {
  const Outcome o = run_engine({"bench", "comm"}, {.env = {"PATH=/nowhere"}});
  EXPECT_EQ(o.exit_code, 9) << o.err;
  EXPECT_NE(o.err.find("EB9010"), std::string::npos) << o.err;
}

TEST(BenchScaling, compares_two_ranks_with_one) {
  NEEDS_MPIRUN();
  const TempDir dir;
  const Outcome o = run_engine(
      {"bench", "scaling", tiny_config(dir), "--ranks", "1,2", "--batch", "8", "--steps", "2", "--json"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  const json all = json::parse(o.out);
  ASSERT_EQ(all["rows"].size(), 5u) << "two weak, two strong, one of threads";
  const json &weak = all["rows"][1], &strong = all["rows"][3];
  EXPECT_EQ(weak["batch"], 16);
  EXPECT_EQ(strong["batch"], 8);
  for (const json& row : {weak, strong}) {
    EXPECT_EQ(row["ranks"], 2);
    EXPECT_EQ(row["shards"], 2);
    for (const char* key : {"images_per_s", "step_ms", "reduce_ms", "efficiency", "predicted_efficiency"})
      EXPECT_GT(row.value(key, 0.), 0) << key;
  }
  EXPECT_EQ(all["rows"][0]["efficiency"], 1);
  EXPECT_GT(all["cores"], 0);
}

TEST(DoctorLoopback, is_well_only_where_two_ranks_have_answered) {
  EXPECT_EQ(
      tools::loopback_line(tools::LoopbackFacts{0, R"({"ranks": 2, "rows": [{"ours_ms": 1.5}]})", ""}).state,
      LineState::ok);
  EXPECT_EQ(tools::loopback_line(tools::LoopbackFacts{0, "", ""}).state, LineState::problem);
  const tools::Line refused =
      tools::loopback_line(tools::LoopbackFacts{9, "", "mpirun: cannot\nEB9004: no threads\n"});
  EXPECT_EQ(refused.state, LineState::problem);
  EXPECT_NE(refused.saw.find("EB9004: no threads"), std::string::npos) << refused.saw;
  EXPECT_NE(tools::loopback_line(tools::LoopbackFacts{124, "", ""}).saw.find("20 s"), std::string::npos);
}

}  // namespace
}  // namespace eb::test
