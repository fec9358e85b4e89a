// `train` with weight averaging: what it writes, and that other commands take it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "support/run_engine.h"

namespace eb::test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* averaging = R"({"swa": {"enabled": true, "start": "4ep", "evaluate": "epoch"}})";

std::vector<json> metrics(const fs::path& run) {
  std::vector<json> rows;
  std::istringstream lines(slurp(run / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) rows.push_back(json::parse(line));
  return rows;
}

// One thread: the network is too small for more.
std::vector<std::string> training(const std::string& config, const std::string& out) {
  return {"train", config, "--out", out, "-q", "--deterministic", "--threads", "1", "--json"};
}

// The bytes behind the header, which names the config.
std::string tensors(const fs::path& file) {
  const std::string bytes = slurp(file);
  return bytes.substr(8 + *reinterpret_cast<const uint64_t*>(bytes.data()));
}

json facts(const std::vector<std::string>& args) {
  const Outcome o = run_engine(args);
  EXPECT_EQ(o.exit_code, 0) << o.err;
  return json::parse(o.out);
}

TEST(SwaRun, the_model_in_the_run_directory_has_the_accuracy_of_the_summary) {
  const TempDir dir;
  const std::string run = dir / "run", config = tiny_config(dir, averaging);
  const json s = facts(training(config, run));
  const json& swa = s["swa"];
  EXPECT_GT(swa["models"], 1);
  const json e = facts({"eval", run + "/swa", "--threads", "1", "--json"});
  EXPECT_EQ(e["top1"], swa["top1"]);
  EXPECT_EQ(e["top5"], swa["top5"]);
  EXPECT_EQ(e["loss"], swa["loss"]);
  EXPECT_EQ(facts({"inspect", run + "/swa", "--json"})["params"], s["ticket"]["params"]);
  facts({"draw", run + "/swa", "--again", "--ratio", "0.3", "-o", dir / "t.safetensors", "--json"});
  json last;
  int averaged = 0;
  for (const json& row : metrics(run))
    if (row.contains("swa/test_top1")) ++averaged, last = row;
  EXPECT_EQ(averaged, swa["models"]);
  EXPECT_EQ(last["swa/test_top1"], swa["top1"]);
  EXPECT_EQ(last["swa/models"], swa["models"]);
  EXPECT_NE(run_engine({"train", config, "--out", run, "-q", "--threads", "1"}).out.find("(SWA): top-1"),
            std::string::npos);
}

TEST(SwaRun, search_and_ticket_are_the_same_without) {
  const TempDir dir;
  for (const char* name : {"with", "without"}) {
    const std::string config = tiny_config(dir, std::string(name) == "with" ? averaging : "{}");
    facts(training(config, dir / name));
  }
  for (const char* part : {"model.safetensors", "optim.safetensors"}) {
    const auto file = std::string("/ckpt/step-00000024/") + part;
    EXPECT_EQ(tensors((dir / "with") + file), tensors((dir / "without") + file)) << part;
  }
  EXPECT_EQ(slurp(dir / "with/masks/p50.bits"), slurp(dir / "without/masks/p50.bits"));
  auto a = metrics(dir / "with"), b = metrics(dir / "without");
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i)
    for (const char* key : {"train/loss", "test/loss", "test/top1"})
      EXPECT_EQ(a[i].value(key, json()), b[i].value(key, json())) << key << " in line " << i;
}

TEST(SwaRun, killed_while_averaging_it_ends_with_the_same_bytes) {
  const TempDir dir;
  const std::string config = tiny_config(dir, averaging);
  const json want = facts(training(config, dir / "straight"));
  for (const char* steps : {"14", "18", "20"}) {
    const std::string run = dir / (std::string("stopped") + steps);
    auto stopped = training(config, run);
    stopped.insert(stopped.end(), {"--max-steps", steps});
    ASSERT_EQ(run_engine(stopped).exit_code, 75);
    const json got = facts(training(config, run));
    EXPECT_EQ(got["swa"], want["swa"]) << steps;
    EXPECT_EQ(tensors(run + "/swa/model.safetensors"), tensors(dir / "straight/swa/model.safetensors"))
        << steps;
  }
}

TEST(SwaRun, a_start_beyond_the_end_is_refused_by_name) {
  const TempDir dir;
  const Outcome o = run_engine({"train", tiny_config(dir, averaging), "--set", "swa.start=8ep"});
  EXPECT_EQ(o.exit_code, 2);
  EXPECT_NE(o.err.find("EB2010"), std::string::npos) << o.err;
  EXPECT_NE(o.err.find("swa.start"), std::string::npos) << o.err;
}

}  // namespace
}  // namespace eb::test
