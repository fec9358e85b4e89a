// The data command, called in this process.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/data_sets.h"
#include "support/run_command.h"
#include "support/temp_dir.h"
#include "tools/cli/commands.h"

using namespace eb;
using namespace eb::test;

static Printed run_data(const std::vector<std::string>& words) {
  return run_command(tools::data_command(), words);
}

TEST(DataCommand, stats_as_json) {
  TempDir dir;
  write_cifar10(dir.path());
  const auto r =
      run_data({"stats", "--data-kind", "cifar10_bin", "--data-root", dir.path().string(), "--json"});
  EXPECT_EQ(r.code, 0);
  const auto j = nlohmann::json::parse(r.out);
  EXPECT_EQ(j["train"]["samples"], 10);
  EXPECT_EQ(j["test"]["samples"], 3);
  EXPECT_EQ(j["test"]["classes"][3]["samples"], 1);
  EXPECT_NEAR(j["train"]["mean"][1].get<double>(), 54.5 / 255, 1e-9);
}

TEST(DataCommand, verify_exits_3_on_damage) {
  TempDir dir;
  write_image_folder(dir.path(), 2);
  const std::vector<std::string> args = {"verify",      "--data-kind",       "image_folder",
                                         "--data-root", dir.path().string(), "--json"};
  const auto good = run_data(args);
  EXPECT_EQ(good.code, 0);
  EXPECT_EQ(nlohmann::json::parse(good.out)["ok"], true);
  write_bytes(dir / "test/b/100.jpg", {1, 2, 3});
  const auto bad = run_data(args);
  EXPECT_EQ(bad.code, 3);
  const auto j = nlohmann::json::parse(bad.out);
  EXPECT_EQ(j["ok"], false);
  EXPECT_EQ(j["test"]["bad"][0]["sample"], (dir / "test/b/100.jpg").string());
  EXPECT_NE(j["fingerprint"], nlohmann::json::parse(good.out)["fingerprint"]);
}

TEST(DataCommand, text_names_classes_and_damage) {
  TempDir dir;
  write_image_folder(dir.path(), 2);
  write_bytes(dir / "train/c/100.jpg", {});
  const std::vector<std::string> where = {"--data-kind", "image_folder", "--data-root", dir.path().string()};
  auto args = where;
  args.insert(args.begin(), "verify");
  EXPECT_NE(run_data(args).out.find("train/c/100.jpg: empty file"), std::string::npos);
  args[0] = "stats";
  EXPECT_NE(run_data(args).out.find("train: 6 images in 3 classes, 1 bad"), std::string::npos);
}

// Odd pictures that are whole are worth knowing and no reason to fail.
TEST(DataCommand, verify_names_warnings_and_passes) {
  TempDir dir;
  write_image_folder(dir.path(), 2);
  auto odd = to_jpeg(picture(32, 32));
  odd[11] = 0;  // JFIF 0
  write_bytes(dir / "train/b/100.jpg", odd);
  std::vector<std::string> args = {"verify", "--data-kind", "image_folder", "--data-root",
                                   dir.path().string()};
  const auto text = run_data(args);
  EXPECT_EQ(text.code, 0);
  EXPECT_NE(text.out.find("train: 6 images, 0 bad, 1 with warnings"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("train/b/100.jpg: Warning: unknown JFIF revision"), std::string::npos) << text.out;
  args.push_back("--json");
  const auto j = nlohmann::json::parse(run_data(args).out);
  EXPECT_EQ(j["train"]["warnings"][0]["sample"], (dir / "train/b/100.jpg").string());
  EXPECT_EQ(j["test"]["warnings"].size(), 0u);
}
