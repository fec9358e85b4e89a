// Runs of several ranks, started as a user would: the same bits as one rank, in every file of the run.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/run_ranks.h"

namespace eb::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Words = std::vector<std::string>;

Words with(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Words train(const std::string& config, const std::string& out, int ranks, const Words& more = {}) {
  Words words = {"train", config, "--out", out, "--quiet", "--threads", "1"};
  if (ranks > 1) words = with(words, {"--ranks", std::to_string(ranks)});
  return with(words, more);
}

void run(const Words& words, int exit_code = 0) {
  const Outcome o = run_engine(words);
  ASSERT_EQ(o.exit_code, exit_code) << o.err;
}

// Of a line of metrics.jsonl what does not depend on the clock.
std::string timeless(const std::string& metrics) {
  std::istringstream in(metrics);
  std::string lines;
  for (std::string line; std::getline(in, line);) {
    json row = json::parse(line), kept;
    for (const auto& [key, value] : row.items())
      if (!key.starts_with("perf/") && !key.starts_with("energy/") && !key.starts_with("mem/") &&
          !key.starts_with("time"))
        kept[key] = value;
    lines += kept.dump() + "\n";
  }
  return lines;
}

// Every file that holds a network, a mask or a ticket, and the metrics.
std::map<std::string, std::string> contents(const fs::path& run) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(run)) {
    const fs::path& path = entry.path();
    if (path.extension() == ".safetensors" || path.extension() == ".bits" ||
        path.string().find("/tickets/") != std::string::npos)
      files[fs::relative(path, run)] = slurp(path);
  }
  files["metrics.jsonl"] = timeless(slurp(run / "metrics.jsonl"));
  return files;
}

void expect_same(const fs::path& a, const fs::path& b) {
  const auto one = contents(a), other = contents(b);
  ASSERT_GT(one.size(), 5u);
  for (const auto& [name, bytes] : one) {
    ASSERT_TRUE(other.contains(name)) << name;
    EXPECT_TRUE(other.at(name) == bytes) << name << " differs";
  }
  EXPECT_EQ(one.size(), other.size());
}

struct Case {
  const char *name, *config;
  Words sets;
  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
};

constexpr const char* preresnet20 = R"({"model": {"arch": "preresnet", "depth": 20, "width": 0.5},
  "train": {"duration": "4ep", "schedule": {"at": ["2ep"]}, "optimizer": {"lr": 0.05}},
  "early_bird": {"watch": [0.5], "window": 2, "deadline": "2ep"}})";
constexpr const char* resnet18 = R"({"model": {"arch": "resnet", "depth": 18, "width": 0.125},
  "train": {"duration": "4ep", "schedule": {"at": ["2ep"]}, "optimizer": {"lr": 0.05}},
  "early_bird": {"watch": [0.5], "window": 2, "deadline": "2ep"}})";

// 192 samples in batches of 64 and, of 180, a last one of 52: shards of different sizes.
const Case cases[] = {
    {"vgg", "{}", {}},
    {"vgg_everything",
     "{}",
     {"--set", "swa.enabled=true", "--set", "train.clip_norm=1", "--set", "train.label_smoothing=0.1",
      "--set", "data.holdout=16", "--set", "data.synthetic.train=196"}},
    {"vgg_bf16", "{}", {"--dtype", "bf16"}},
    {"vgg_8_bit", "{}", {"--set", "precision.preset=swalp8", "--set", "swa.enabled=true"}},
    {"preresnet20", preresnet20, {"--set", "data.synthetic.train=120"}},
    {"resnet18", resnet18, {}},
};

class Ranks : public testing::TestWithParam<Case> {};

TEST_P(Ranks, a_whole_run_has_the_same_bits_on_1_2_and_4) {
  NEEDS_MPIRUN();
  const TempDir dir;
  const std::string config = tiny_config(dir, GetParam().config);
  const Words sets = with(GetParam().sets, {"--set", "distributed.shards=4"});
  for (const int ranks : {1, 2, 4}) run(train(config, dir / std::to_string(ranks), ranks, sets));
  expect_same(dir / "1", dir / "2");
  expect_same(dir / "1", dir / "4");
}

INSTANTIATE_TEST_SUITE_P(, Ranks, testing::ValuesIn(cases), [](const auto& info) { return info.param.name; });

TEST(RanksResume, goes_on_with_any_number_that_can_share_the_shards) {
  NEEDS_MPIRUN();
  const TempDir dir;
  const std::string config = tiny_config(dir);
  const Words sets = {"--set", "distributed.shards=4"};
  run(train(config, dir / "straight", 1, sets));
  run(train(config, dir / "moved", 4, with(sets, {"--max-steps", "5"})), 75);
  run(train(config, dir / "moved", 1, {"--max-steps", "10"}), 75);  // finds the shards itself
  run(train(config, dir / "moved", 2, {"--max-steps", "17"}), 75);
  run(train(config, dir / "moved", 4));
  const auto straight = contents(dir / "straight"), moved = contents(dir / "moved");
  for (const char* name : {"metrics.jsonl", "dense/model.safetensors"})
    EXPECT_TRUE(straight.at(name) == moved.at(name)) << name;
  const std::string last =
      "ckpt/" + json::parse(slurp(dir / "straight/ckpt/latest.json"))["path"].get<std::string>();
  for (const char* file : {"/model.safetensors", "/optim.safetensors"})
    EXPECT_TRUE(straight.at(last + file) == moved.at(last + file)) << file;
}

TEST(RanksRefusals, name_what_does_not_fit) {
  NEEDS_MPIRUN();
  const TempDir dir;
  const std::string config = tiny_config(dir);
  const auto refused = [&](int ranks, const Words& sets) {
    return run_engine(train(config, dir / "run", ranks, sets));
  };
  const Outcome three = refused(3, {"--set", "distributed.shards=8"});
  EXPECT_EQ(three.exit_code, 9);
  EXPECT_NE(three.err.find("EB9006"), std::string::npos) << three.err;
  EXPECT_NE(three.err.find("1, 2, 4, 8"), std::string::npos) << three.err;
  const Outcome small = refused(1, {"--set", "distributed.shards=100"});
  EXPECT_EQ(small.exit_code, 2);
  EXPECT_NE(small.err.find("64 images cannot be cut into 100 shards"), std::string::npos) << small.err;
}

TEST(RanksAccumulate, is_shards_of_one_rank) {
  const TempDir dir;
  const std::string config = tiny_config(dir);
  run(train(config, dir / "accumulated", 1, {"--set", "train.accumulate=2"}));
  run(train(config, dir / "sharded", 1, {"--set", "distributed.shards=2"}));
  const auto one = contents(dir / "accumulated"), other = contents(dir / "sharded");
  EXPECT_EQ(one.at("metrics.jsonl"), other.at("metrics.jsonl"));
}

}  // namespace
}  // namespace eb::test
