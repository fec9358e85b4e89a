// `bench step` on the CPU, in full precision and in 8 bit.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/run_engine.h"

using namespace eb::test;
using nlohmann::json;

class BenchStep : public testing::Test {
 protected:
  json bench(std::vector<std::string> flags, const std::string& steps = "1") const {
    std::vector<std::string> args = {"bench",     "step", tiny_config(dir), "--batch", "4",
                                     "--steps",   steps,  "--threads",      "1",       "--json",
                                     "--cpu-time"};
    args.insert(args.end(), flags.begin(), flags.end());
    const Outcome o = run_engine(args);
    EXPECT_EQ(o.exit_code, 0) << o.err;
    return json::parse(o.out, nullptr, false);
  }
  TempDir dir;
};

TEST_F(BenchStep, precision_of_the_config_is_what_runs) {
  const json full = bench({}), eight = bench({"--set", "precision.preset=swalp8"});
  for (const json& r : {full, eight}) {
    EXPECT_GT(r.value("step_ms", 0.), 0);
    EXPECT_EQ(r.value("clock", ""), "cpu");
  }
  EXPECT_EQ(full.value("training_int8_ops_per_image", -1), 0);
  EXPECT_GT(eight.value("training_int8_ops_per_image", -1), 0);
  EXPECT_LT(eight.value("activation_mib", 1e9), 0.6 * full.value("activation_mib", 0.));
}

TEST_F(BenchStep, seconds_end_it_and_the_steps_that_were_timed_are_told) {
  EXPECT_EQ(bench({}).value("steps", 0), 1);
  const json ended = bench({"--seconds", "0.0001"}, "100000");
  EXPECT_GE(ended.value("steps", 0), 1) << ended;
  EXPECT_LT(ended.value("steps", 0), 100) << ended;
  EXPECT_GT(ended.value("step_ms", 0.), 0);
}

TEST_F(BenchStep, each_precision_has_a_row) {
  const json rows = bench({"--each-precision"});
  std::map<std::string, json> by_name;
  for (const json& r : rows) by_name[r["precision"]] = r;
  ASSERT_EQ(by_name.size(), 6u) << rows;
  const auto int8 = [&](const char* name) {
    return by_name.at(name)["training_int8_ops_per_image"].get<int64_t>();
  };
  const auto mib = [&](const char* name) { return by_name.at(name)["activation_mib"].get<double>(); };
  EXPECT_EQ(int8("f32"), 0);
  EXPECT_EQ(int8("swalp8 exact"), 0);
  EXPECT_EQ(int8("reference"), 0);
  EXPECT_GT(int8("swalp8 integer"), int8("swalp8 integer, one copy of weights")) << "backward-data is exact";
  EXPECT_EQ(by_name.at("bf16")["dtype"], "bf16");
  EXPECT_LT(mib("bf16"), mib("f32"));
  EXPECT_LT(mib("swalp8 exact"), mib("f32"));
}

TEST_F(BenchStep, cpu_time_of_several_threads_is_refused) {
  for (const char* what : {"kernels", "step"}) {
    std::vector<std::string> args = {"bench", what};
    if (args[1] == "step") args.push_back(tiny_config(dir));
    args.insert(args.end(), {"--cpu-time", "--threads", "2"});
    const Outcome o = run_engine(args);
    EXPECT_NE(o.exit_code, 0);
    EXPECT_NE(o.err.find("EB2020"), std::string::npos) << o.err;
  }
}
