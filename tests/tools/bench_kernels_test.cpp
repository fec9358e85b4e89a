// `bench kernels` on the CPU: every family is there, runs, and reports what it measured.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "support/run_engine.h"

using namespace eb::test;
using nlohmann::json;

TEST(BenchKernels, a_filter_that_matches_nothing_is_an_error) {
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--list"}, {"--json"}}) {
    std::vector<std::string> args = {"bench", "kernels", "--filter", "no such kernel"};
    args.insert(args.end(), more.begin(), more.end());
    const Outcome o = run_engine(args);
    EXPECT_EQ(o.exit_code, 2);
    EXPECT_NE(o.err.find("no such kernel"), std::string::npos) << o.err;
    EXPECT_EQ(o.out, "");
  }
}

TEST(BenchKernels, the_list_is_json_where_json_is_asked) {
  const Outcome o = run_engine({"bench", "kernels", "--filter", "^linear_forward", "--list", "--json"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  const json list = json::parse(o.out);
  ASSERT_FALSE(list.empty());
  EXPECT_EQ(list[0]["family"], "linear_forward");
}

static const std::set<std::string> families = {"conv2d_forward",
                                               "conv2d_backward_data",
                                               "conv2d_backward_weight",
                                               "conv2d_int8_forward_integer",
                                               "conv2d_int8_forward_exact",
                                               "conv2d_int8_backward_data_integer",
                                               "conv2d_int8_backward_data_exact",
                                               "conv2d_int8_backward_weight_integer",
                                               "conv2d_int8_backward_weight_exact",
                                               "quantize",
                                               "dequantize",
                                               "round_blocks",
                                               "batch_norm_forward",
                                               "batch_norm_infer",
                                               "batch_norm_backward",
                                               "linear_forward",
                                               "linear_backward_data",
                                               "linear_backward_weight",
                                               "max_pool_forward",
                                               "max_pool_backward",
                                               "avg_pool_forward",
                                               "avg_pool_backward",
                                               "softmax_cross_entropy",
                                               "sgd",
                                               "augmentation",
                                               "topk_mask",
                                               "compaction",
                                               "elementwise_add",
                                               "sum_of_squares",
                                               "all_finite",
                                               "tree_sum_slices",
                                               "tree_sum_merge",
                                               "conv2d_pack"};

TEST(BenchKernels, lists_every_family) {
  const Outcome o = run_engine({"bench", "kernels", "--list"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  std::set<std::string> found;
  std::istringstream lines(o.out);
  for (std::string line; std::getline(lines, line);) found.insert(line.substr(0, line.find(' ')));
  EXPECT_EQ(found, families);
  for (const char* total : {"4224", "7408", "4800", "26560"})
    EXPECT_NE(o.out.find(std::string(total) + " scales, window 5"), std::string::npos) << total;
}

static json rows(const std::string& filter) {
  const Outcome o = run_engine({"bench", "kernels", "--filter", filter, "--seconds", "0.0001",
                                "--batch-cifar", "2", "--batch-imagenet", "1", "--dtype", "f32", "--json"});
  EXPECT_EQ(o.exit_code, 0) << o.err;
  const json result = json::parse(o.out, nullptr, false);
  EXPECT_GT(result.value("copy_gb_per_s", 0.), 0);
  return result.value("rows", json::array());
}

TEST(BenchKernels, each_case_reports_time_and_rate) {
  const std::pair<const char*, size_t> cases[] = {{"linear_", 18},
                                                  {"_pool_", 8},
                                                  {"softmax_cross_entropy", 2},
                                                  {"topk_mask", 8},
                                                  {"batch_norm_.* 2048 x 64", 10},
                                                  {"sgd", 6},
                                                  {"compaction", 3},
                                                  {"quantize 2 x 8192", 24},
                                                  {"round_blocks", 4},
                                                  {"elementwise_add|sum_of_squares|all_finite", 3},
                                                  {"tree_sum", 3}};
  for (const auto& [filter, count] : cases) {
    const json found = rows(filter);
    EXPECT_EQ(found.size(), count) << filter;
    for (const json& row : found) {
      EXPECT_GT(row.value("us", 0.), 0) << row;
      EXPECT_GT(row.value("gb_per_s", 0.), 0) << row;
      EXPECT_EQ(row.contains("tflops"), std::string(filter) == "linear_") << row;
      EXPECT_FALSE(row.contains("ratio")) << "no library beside the CPU's kernels: " << row;
    }
    if (std::string(filter) != "compaction" || found.size() != 3) continue;
    const auto bytes = [](const json& row) {
      return row["gb_per_s"].get<double>() * row["us"].get<double>();
    };
    EXPECT_GT(bytes(found[0]), 1.5 * bytes(found[1])) << "a smaller ticket is a smaller copy";
    EXPECT_GT(bytes(found[1]), 1.5 * bytes(found[2]));
  }
}

TEST(BenchKernels, lines_of_json_name_a_case_before_it_runs_and_can_be_gone_on_with) {
  const auto lines = [](const std::vector<std::string>& more) {
    std::vector<std::string> args = {
        "bench", "kernels",          "--filter", "^max_pool_forward", "--seconds", "0.0001", "--batch-cifar",
        "2",     "--batch-imagenet", "1",        "--json-lines"};
    args.insert(args.end(), more.begin(), more.end());
    const Outcome o = run_engine(args);
    EXPECT_EQ(o.exit_code, 0) << o.err;
    std::vector<json> found;
    std::istringstream text(o.out);
    for (std::string line; std::getline(text, line);) found.push_back(json::parse(line));
    return found;
  };
  const auto all = lines({});
  ASSERT_GE(all.size(), 6u);
  EXPECT_EQ(all.front(), json({{"starts", "ceilings"}, {"at", -1}})) << "they may hang as well";
  EXPECT_GT(all[1]["ceilings"].value("copy_gb_per_s", 0.), 0);
  EXPECT_TRUE(all.back().contains("summary"));
  for (size_t i = 2; i + 2 < all.size(); i += 2) {
    EXPECT_EQ(all[i]["at"], (i - 2) / 2);
    const json& row = all[i + 1]["row"];
    EXPECT_EQ(all[i]["starts"], row.value("family", "") + " " + row.value("name", ""));
  }
  const auto rest = lines({"--skip", "1", "--ceilings", "100,2.5"});
  ASSERT_EQ(rest.size(), all.size() - 3);
  EXPECT_EQ(rest[0]["ceilings"].value("copy_gb_per_s", 0.), 100) << "given, not measured";
  EXPECT_EQ(rest[0]["ceilings"].value("matrix_tflops", 0.), 2.5);
  EXPECT_EQ(rest[1], all[4]) << "the second case, with its place among all";
  EXPECT_TRUE(rest[2]["row"].contains("share_of_ceiling"));
  const auto without = lines({"--skip", "1", "--ceilings", "none"});
  ASSERT_EQ(without.size(), all.size() - 4);
  EXPECT_EQ(without[0], all[4]);
  EXPECT_GT(without[1]["row"].value("us", 0.), 0);
  EXPECT_FALSE(without[1]["row"].contains("share_of_ceiling")) << "no share of what is not known";
}

TEST(BenchKernels, ceilings_are_two_rates_or_none) {
  for (const char* text : {"1", "1,", "0,1", "1,0", "1,2,3", "-1,2", "nan,1"}) {
    const Outcome o = run_engine({"bench", "kernels", "--list", "--ceilings", text});
    EXPECT_NE(o.exit_code, 0) << text;
    EXPECT_NE(o.err.find("--ceilings"), std::string::npos) << o.err;
  }
}

TEST(BenchKernels, lists_narrow_convolutions_and_the_rarer_forms_of_a_kernel) {
  const Outcome o = run_engine({"bench", "kernels", "--list"});
  for (const char* name :
       {"conv2d_forward  narrow 8->8 3x3", "conv2d_backward_weight  narrow 32->32 1x1",
        "batch_norm_forward  262144 x 64, 32 kept", "batch_norm_infer  262144 x 64, largest of each sample",
        "sgd  14720000 parameters, no bf16 copy", "nearest, counted",
        "topk_mask  vgg16 4224 scales, window 5, reference"})
    EXPECT_NE(o.out.find(name), std::string::npos) << name;
}

TEST(BenchKernels, int8_convolutions_stand_beside_the_dense_one) {
  const json found = rows("conv2d_int8_.* vgg16 p=0 feature\\.34$");
  std::set<std::string> seen;
  for (const json& row : found) {
    seen.insert(row.value("family", ""));
    EXPECT_EQ(row.value("beside", ""), "f32") << row;
    EXPECT_GT(row.value("ratio", 0.), 0) << row;
    EXPECT_GT(row.value("tflops", 0.), 0) << row;
  }
  EXPECT_EQ(found.size(), 6u);
  EXPECT_EQ(seen.size(), 6u) << "each direction on both paths";
}

TEST(BenchKernels, a_filter_that_is_no_regular_expression_is_refused) {
  const Outcome o = run_engine({"bench", "kernels", "--list", "--filter", "(("});
  EXPECT_NE(o.exit_code, 0);
  EXPECT_NE(o.err.find("EB2020"), std::string::npos) << o.err;
}
