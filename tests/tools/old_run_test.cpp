// A run directory that an earlier version wrote (tests/data_files/old_run: a search, a draw, a retraining and
// averaged weights; of its checkpoints only what says how far it came). Whatever changes in how a run is
// written, it reads as it did then: tests/data_files/old_run_as_read.
#include <gtest/gtest.h>

#include "pruning/early_bird_state.h"
#include "support/paths.h"
#include "support/report_run.h"
#include "tools/report/gather/report.h"
#include "tools/watch/summary_table.h"

using namespace eb::test;
using nlohmann::json;
namespace fs = std::filesystem;

static const fs::path files = eb::test::source_dir() / "tests/data_files";

// A copy: what reads a run may lock it.
static std::string old_run(const TempDir& dir) {
  fs::copy(files / "old_run", dir / "run", fs::copy_options::recursive);
  return dir / "run";
}

// A later version warns that another one wrote the run.
static json report_of_old(const std::string& path) {
  json run = report_of({path})["runs"][0];
  std::erase_if(run["warnings"].get_ref<json::array_t&>(), [](const json& warning) {
    return warning.get<std::string>().starts_with("written by eb_engine");
  });
  run.erase("path");
  return run;
}

// As text: 3 is not 3.0.
TEST(OldRun, its_report_is_the_same_to_the_byte) {
  const TempDir dir;
  const json report = report_of_old(old_run(dir)),
             expected = read_json(files / "old_run_as_read/report.json");
  for (const auto& [key, value] : expected.items()) EXPECT_EQ(report[key].dump(), value.dump()) << key;
  EXPECT_EQ(report.size(), expected.size());
}

TEST(OldRun, its_report_is_read_and_written_to_the_byte) {
  json run = read_json(files / "old_run_as_read/report.json");
  run["path"] = "runs/old";
  const json report = {{"eb_report", 1},
                       {"generated", "2026-01-01T00:00:00Z"},
                       {"eb_engine", "0.1.0"},
                       {"runs", json::array({run, run})},
                       {"comparison", nullptr}};
  EXPECT_EQ(eb::tools::to_json(eb::tools::report_from_json(report)).dump(), report.dump());
}

TEST(OldRun, watch_prints_the_same_lines) {
  const TempDir dir;
  const Outcome o = run_engine({"watch", old_run(dir), "--once"});
  EXPECT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(o.out, slurp(files / "old_run_as_read/watch.txt"));
}

TEST(OldRun, its_summary_makes_the_same_table) {
  EXPECT_EQ(
      eb::tools::summary_table(eb::engine::summary_from_json(read_json(files / "old_run/summary.json"))),
      slurp(files / "old_run_as_read/summary.txt"));
}

// A run that was killed has no summary; its newest checkpoint says the same of phases and draw.
TEST(OldRun, the_newest_checkpoint_tells_what_a_lost_summary_would) {
  const TempDir dir;
  const std::string path = old_run(dir);
  for (const char* file : {"/summary.json", "/status.json"}) fs::remove(path + file);
  const json report = report_of_old(path), expected = read_json(files / "old_run_as_read/report.json");
  EXPECT_EQ(report["state"], "unknown");
  EXPECT_EQ(report["epochs"], expected["epochs"]);
  EXPECT_EQ(report["early_bird"], expected["early_bird"]);
  EXPECT_EQ(report["layers"], expected["layers"]);
  ASSERT_EQ(report["phases"].size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    json phase = report["phases"][i], want = expected["phases"][i];
    for (const char* grows : {"checkpoint", "other"})
      phase["seconds"].erase(grows), want["seconds"].erase(grows);
    EXPECT_EQ(phase, want);
  }
  for (const char* key : {"params", "macs_per_image", "training_flops", "seconds", "ratio"})
    EXPECT_EQ(report["networks"][1][key], expected["networks"][1][key]) << key;
}

// One type for each file, both ways: nothing is lost in reading, and what is written has not changed.
TEST(OldRun, what_is_read_of_it_is_written_to_the_byte) {
  using namespace eb::engine;
  const std::string summary = slurp(files / "old_run/summary.json"),
                    status = slurp(files / "old_run/status.json");
  EXPECT_EQ(to_json(summary_from_json(json::parse(summary))).dump(2) + "\n", summary);
  EXPECT_EQ(to_json(status_from_json(json::parse(status))).dump(2) + "\n", status);
  std::istringstream lines(slurp(files / "old_run/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const json j = json::parse(line);
    const auto epoch = epoch_from_json(j);
    const auto batch = batch_from_json(j);
    EXPECT_EQ(epoch ? to_json(*epoch).dump() : batch ? to_json(*batch).dump() : "", line);
  }
}

TEST(OldRun, what_its_search_saved_is_read_by_name_and_saved_to_the_byte) {
  const json state = read_json(files / "old_run/ckpt/step-00000024/state.json");
  const auto search = eb::pruning::saved_early_bird(state);
  ASSERT_TRUE(search);
  EXPECT_FALSE(search->searching);
  EXPECT_EQ(search->draw->file, "tickets/p50-ep3.safetensors");
  ASSERT_TRUE(search->search.of(0.3));
  EXPECT_EQ(search->search.of(0.3)->records, 3);
  EXPECT_EQ(search->search.of(0.3)->found->epoch, 3);
  EXPECT_FALSE(search->search.of(0.7)) << "not watched";
  EXPECT_EQ(to_json(*search).dump(), state["hooks"]["early_bird"].dump());
  EXPECT_FALSE(eb::pruning::saved_early_bird({{"hooks", {{"early_bird", {{"searching", "maybe"}}}}}}));
  EXPECT_FALSE(eb::pruning::saved_early_bird(json::array()));
}
