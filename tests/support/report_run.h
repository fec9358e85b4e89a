// Reports of real runs, and run directories made by hand.
#pragma once
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "support/paths.h"
#include "support/run_engine.h"

namespace eb::test {

inline nlohmann::json read_json(const std::filesystem::path& path) {
  return nlohmann::json::parse(slurp(path));
}

inline void train(const std::string& config, const std::string& out, std::vector<std::string> more = {}) {
  std::vector<std::string> args = {"train", config, "--out", out, "-q", "--threads", "1"};
  args.insert(args.end(), more.begin(), more.end());
  const Outcome o = run_engine(args);
  ASSERT_TRUE(o.exit_code == 0 || o.exit_code == 75) << o.err;
}

inline nlohmann::json report_of(const std::vector<std::string>& runs) {
  std::vector<std::string> args = {"report"};
  args.insert(args.end(), runs.begin(), runs.end());
  args.push_back("--json");
  const Outcome o = run_engine(args);
  EXPECT_EQ(o.exit_code, 0) << o.err;
  return nlohmann::json::parse(o.out, nullptr, false);
}

inline nlohmann::json epoch_lines(const std::filesystem::path& run) {
  nlohmann::json lines = nlohmann::json::array();
  std::istringstream text(slurp(run / "metrics.jsonl"));
  for (std::string line; std::getline(text, line);) {
    auto row = nlohmann::json::parse(line);
    if (row["split"] == "epoch") lines.push_back(row);
  }
  return lines;
}

inline bool warns(const nlohmann::json& run, const std::string& words) {
  for (const auto& warning : run["warnings"])
    if (warning.get<std::string>().find(words) != std::string::npos) return true;
  return false;
}

// A run directory without a run: the tiny config with `config` merged on top, and a status of exit code 0.
inline void make_run(const std::filesystem::path& run, const std::string& config = "{}") {
  std::filesystem::create_directories(run);
  auto resolved = read_json(source_dir() / "tests/data_files/tiny.json");
  resolved.merge_patch(nlohmann::json::parse(config));
  spit(run / "config.resolved.json", resolved.dump());
  spit(run / "status.json", R"({"exit_code": 0})");
  spit(run / "metrics.jsonl", "");
}

// A run of two epochs that says of itself what is given here; it drew at the epoch it took seconds.
inline void make_finished(const std::string& run, const std::string& config, double top1, double seconds) {
  make_run(run, config);
  const nlohmann::json phases =
      nlohmann::json::array({{{"name", "search"}, {"params", 100}, {"flops_per_image", 1000}},
                             {{"name", "retrain"}, {"params", 40}, {"flops_per_image", 300}}});
  spit(run + "/summary.json", nlohmann::json({{"steps", 6},
                                              {"phases", phases},
                                              {"eb",
                                               {{"draw",
                                                 {{"ratio", 0.5},
                                                  {"epoch", static_cast<int>(seconds)},
                                                  {"step", 3 * static_cast<int>(seconds)}}}}},
                                              {"dense", {{"seconds", 100}, {"training_flops", 5e9}}},
                                              {"ticket", {{"seconds", seconds}, {"training_flops", 3e9}}}})
                                  .dump());
  spit(
      run + "/metrics.jsonl",
      nlohmann::json({{"split", "epoch"}, {"epoch", 1}, {"step", 3}, {"phase", "search"}, {"test/top1", 0.1}})
              .dump() +
          "\n" +
          nlohmann::json(
              {{"split", "epoch"}, {"epoch", 2}, {"step", 6}, {"phase", "retrain"}, {"test/top1", top1}})
              .dump() +
          "\n");
}

}  // namespace eb::test
