// Reports of runs whose files were lost or cut off after the training had written them.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "support/report_run.h"

using namespace eb::test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr int64_t header = 16;

// One training for all of them: each test takes something away from its own copy.
class ReportLostFiles : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    trained_ = std::make_unique<TempDir>();
    train(tiny_config(*trained_), *trained_ / "run");
  }
  static void TearDownTestSuite() { trained_.reset(); }
  void SetUp() override {
    fs::copy(*trained_ / "run", dir_ / "run", fs::copy_options::recursive);
    before_ = report();
    ASSERT_EQ(before_["epochs_done"], 8);
  }
  json report() const { return report_of({dir_ / "run"})["runs"][0]; }
  fs::path file(const std::string& name) const { return dir_.path() / "run" / name; }
  size_t masks(size_t ratio) const { return before_["early_bird"]["ratios"][ratio]["epochs"].size(); }
  int64_t record() const {  // bytes of one mask
    return (before_["early_bird"]["ratios"][0]["bits"].get<int64_t>() + 63) / 64 * 8;
  }

  static inline std::unique_ptr<TempDir> trained_;
  TempDir dir_;
  json before_;
};

}  // namespace

TEST_F(ReportLostFiles, a_run_that_has_all_of_them_has_no_warning_about_files) {
  EXPECT_FALSE(warns(before_, "metrics.jsonl") || warns(before_, "masks/"));
}

TEST_F(ReportLostFiles, metrics_that_are_missing) {
  fs::remove(file("metrics.jsonl"));
  const json run = report(), summary = read_json(file("summary.json"));
  EXPECT_TRUE(warns(run, "metrics.jsonl is missing")) << run["warnings"];
  EXPECT_TRUE(run["epochs"].empty());
  EXPECT_EQ(run["epochs_done"], 8) << "the summary knows";
  EXPECT_EQ(run["networks"][1]["top1_last"], summary["ticket"]["test_top1"]);
  ASSERT_EQ(run_engine({"report", dir_ / "run", "-o", dir_ / "page.html"}).exit_code, 0);
  const std::string page = slurp(dir_ / "page.html");
  EXPECT_NE(page.find("<li>metrics.jsonl is missing"), std::string::npos);
  EXPECT_EQ(page.find("No epoch of this run is complete"), std::string::npos);
}

TEST_F(ReportLostFiles, metrics_that_are_missing_before_the_first_epoch_are_none) {
  fs::remove_all(dir_ / "run");
  make_run(dir_ / "run");
  spit(file("status.json"), R"({"exit_code": 75})");
  fs::remove(file("metrics.jsonl"));
  EXPECT_FALSE(warns(report(), "metrics.jsonl"));
}

TEST_F(ReportLostFiles, metrics_that_end_too_early) {
  std::string lines;
  for (const json& line : epoch_lines(dir_.path() / "run"))
    if (line["epoch"] <= 5) lines += line.dump() + "\n";
  spit(file("metrics.jsonl"), lines);
  EXPECT_TRUE(warns(report(), "metrics.jsonl ends after epoch 5 of 8")) << report()["warnings"];
  spit(file("metrics.jsonl"), "");
  EXPECT_TRUE(warns(report(), "metrics.jsonl ends after epoch 0 of 8")) << report()["warnings"];
}

TEST_F(ReportLostFiles, masks_that_are_missing) {
  fs::remove(file("masks/p30.bits"));
  const json run = report();
  EXPECT_TRUE(warns(run, "masks/p30.bits is missing")) << run["warnings"];
  EXPECT_FALSE(warns(run, "p50"));
  EXPECT_FALSE(warns(run, dir_.path().string())) << "a run may be moved";
  fs::remove(file("masks/p50.bits"));
  fs::remove(file("metrics.jsonl"));
  EXPECT_TRUE(warns(report(), "masks/p50.bits is missing")) << "the checkpoint counts them too";
}

TEST_F(ReportLostFiles, masks_that_are_cut_off) {
  const auto size = static_cast<int64_t>(fs::file_size(file("masks/p30.bits")));
  const auto all = static_cast<int64_t>(masks(0));
  ASSERT_EQ(size, header + all * record());
  for (const int64_t lost : {int64_t{1}, record(), 2 * record() + 3}) {
    fs::resize_file(file("masks/p30.bits"), static_cast<uintmax_t>(size - lost));
    const int64_t left = (size - lost - header) / record();
    const json run = report();
    EXPECT_TRUE(warns(run, "masks/p30.bits is cut off: it holds " + std::to_string(left) + " of " +
                               std::to_string(all) + " masks"))
        << run["warnings"];
    EXPECT_EQ(run["early_bird"]["ratios"][0]["epochs"].size(), static_cast<size_t>(left));
  }
}

TEST_F(ReportLostFiles, masks_of_another_kind_are_named_as_they_lie_in_the_run) {
  spit(file("masks/p30.bits"), "no masks");
  const json run = report();
  EXPECT_TRUE(warns(run, "masks/p30.bits is damaged and was left out")) << run["warnings"];
  EXPECT_FALSE(warns(run, dir_.path().string())) << run["warnings"];
}

// The last mask that is left is not the one of the draw: it says nothing of what the ranking kept.
TEST_F(ReportLostFiles, layers_are_not_held_up_by_a_mask_of_before) {
  const auto held_up = [](const json& run) {
    return std::count_if(run["layers"].begin(), run["layers"].end(),
                         [](const json& layer) { return layer["held_up"] == true; });
  };
  ASSERT_EQ(held_up(before_), 0);
  const auto size = static_cast<int64_t>(fs::file_size(file("masks/p50.bits")));
  fs::resize_file(file("masks/p50.bits"), static_cast<uintmax_t>(size - record()));
  EXPECT_EQ(held_up(report()), 0);
}
