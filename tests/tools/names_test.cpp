// Files and folders of any name: those of a Latin-1 archive unpacked on Linux are no UTF-8.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/data_sets.h"
#include "support/run_engine.h"

using namespace eb::test;
using nlohmann::json;
namespace fs = std::filesystem;

static const std::string latin = "W\xfcrzburg";        // Würzburg in Latin-1
static const std::string as_json = "W\uFFFDrzburg";    // in JSON
static const std::string as_message = "W\\xfcrzburg";  // in a message
static const std::string in_config = "W\uEFFCrzburg";  // in a config, which keeps the byte

static json facts(std::vector<std::string> args) {
  args.emplace_back("--json");
  const Outcome o = run_engine(args);
  EXPECT_EQ(o.exit_code, 0) << args[0] << ": " << o.err;
  return json::parse(o.out, nullptr, false);
}

static fs::path latin_folder(const TempDir& dir) {
  const fs::path root = dir.path() / latin;
  write_image_folder(root, 4);
  for (const char* split : {"train", "test"}) fs::rename(root / split / "c", root / split / latin);
  fs::rename(root / "test/a/100.jpg", root / "test/a" / (latin + ".jpg"));
  return root;
}

TEST(Names, of_data_may_be_no_utf8) {
  const TempDir dir;
  const fs::path root = latin_folder(dir);
  const std::vector<std::string> where = {"--data-kind", "image_folder", "--data-root", root.string()};
  const auto with = [&](std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const std::string set = "data.root=" + root.string();
  for (const auto& words :
       {where,
        {"--set", "data.kind=image_folder", "--set", set},
        {"--set", "data.kind=image_folder", "--set", "data.root=\"" + root.string() + "\""}}) {
    const json stats = facts(with({"data", "stats"}, words));
    ASSERT_FALSE(stats.is_discarded());
    EXPECT_EQ(stats["train"]["classes"][0]["name"], as_json);
    EXPECT_EQ(stats["train"]["samples"], 12);
  }
  spit(root / "test/a" / (latin + ".jpg"), "xxx");
  const Outcome o = run_engine(with(with({"data", "verify"}, where), {"--json"}));
  EXPECT_EQ(o.exit_code, 3) << o.err;
  const json verified = json::parse(o.out);
  EXPECT_EQ(verified["test"]["bad"][0]["sample"], dir / as_json + "/test/a/" + as_json + ".jpg");
  const Outcome absent =
      run_engine({"data", "stats", "--data-kind", "image_folder", "--data-root", latin + "/x"});
  EXPECT_EQ(absent.exit_code, 3) << absent.err;
  EXPECT_NE(absent.err.find("EB3001"), std::string::npos) << absent.err;
}

TEST(Names, of_cifar_classes_may_be_no_utf8) {
  const TempDir dir;
  write_cifar10(dir.path());
  spit(dir / "batches.meta.txt", latin + "\ncat\n");
  const json stats =
      facts({"data", "stats", "--data-kind", "cifar10_bin", "--data-root", dir.path().string()});
  EXPECT_EQ(stats["test"]["classes"][0]["name"], as_json);
}

// The checkpoint's config has the byte itself: evaluation finds the data again.
TEST(Names, of_a_run_and_its_data_may_be_no_utf8) {
  const TempDir dir;
  const std::string root = latin_folder(dir).string(), out = dir / ("run " + latin);
  const std::vector<std::string> train = {"train",
                                          tiny_config(dir),
                                          "-q",
                                          "--out",
                                          out,
                                          "--set",
                                          "data.kind=image_folder",
                                          "--set",
                                          "data.root=" + root,
                                          "--set",
                                          "model.num_classes=3",
                                          "--set",
                                          "train.batch_size=8"};
  auto stopped = train;
  stopped.insert(stopped.end(), {"--max-steps", "2"});
  const Outcome first = run_engine(stopped);
  ASSERT_EQ(first.exit_code, 75) << first.err;
  EXPECT_NE(first.err.find("--out $'" + (dir / ("run " + as_message)) + "' goes on"), std::string::npos)
      << first.err;
  facts(train);
  EXPECT_EQ(json::parse(slurp(out + "/config.resolved.json"))["data"]["root"], dir / in_config);
  EXPECT_EQ(facts({"eval", out})["total"], 12);
  const std::string weights = dir / (latin + ".safetensors");
  EXPECT_EQ(facts({"export", out, "--to", "torch", "-o", dir / ("torch " + latin)})["out"],
            dir / ("torch " + as_json));
  for (const auto& checkpoint : fs::directory_iterator(out + "/ckpt"))
    if (const fs::path file = checkpoint.path() / "model.safetensors"; fs::exists(file))
      fs::copy_file(file, weights, fs::copy_options::overwrite_existing);
  EXPECT_FALSE(facts({"inspect", weights})["tensors"].empty());
  const json ticket = facts({"draw", out, "--ratio", "0.3", "-o", dir / ("ticket " + latin)});
  EXPECT_GT(ticket["kept"], 0);
  const std::string dense = dir / "dense", dense_weights = dir / ("dense " + latin + ".safetensors");
  auto stopped_again = train;
  stopped_again[4] = dense;
  stopped_again.insert(stopped_again.end(), {"--max-steps", "0"});
  ASSERT_EQ(run_engine(stopped_again).exit_code, 75);
  fs::copy_file(dense + "/ckpt/step-00000000/model.safetensors", dense_weights);
  EXPECT_EQ(facts({"import", dense_weights, "--model", dense + "/config.resolved.json", "-o",
                   dir / ("imported " + latin)})["out"],
            dir / ("imported " + as_json));
  EXPECT_EQ(run_engine({"report", out, "-o", dir / (latin + ".html")}).exit_code, 0);
  const std::string config = out + "/config.resolved.json";
  EXPECT_EQ(run_engine({"config", "validate", config, "--json"}).exit_code, 0);
}

TEST(Names, in_messages_are_shown_and_can_be_pasted) {
  const TempDir dir;
  const std::string out = dir / "Größe ü";
  const Outcome o = run_engine({"train", tiny_config(dir), "-q", "--out", out, "--max-steps", "1"});
  ASSERT_EQ(o.exit_code, 75) << o.err;
  EXPECT_NE(o.err.find("the same command with --out '" + out + "' goes on"), std::string::npos) << o.err;
  EXPECT_NE(o.err.find("report: '" + out + "/report/report.html'"), std::string::npos) << o.err;
  const Outcome unread = run_engine({"config", "validate", dir / "größer"});
  EXPECT_NE(unread.err.find("größer"), std::string::npos) << unread.err;
}
