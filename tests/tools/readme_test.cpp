// The command lines of README.md, in order and as they stand, run by the binary. The experiments of models/
// that they name are short ones here: the same names, a few hundred procedural images.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "support/data_sets.h"
#include "support/paths.h"
#include "support/run_engine.h"

using namespace eb::test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const char* const program = "    ./tools/run ";

std::vector<std::string> words_of(std::string line) {
  line = line.substr(0, line.find('#'));
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

// What stands behind ./tools/run.
std::vector<std::vector<std::string>> commands_of(const std::string& readme) {
  std::vector<std::vector<std::string>> commands;
  std::istringstream in(readme);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(program)) commands.push_back(words_of(line.substr(std::string(program).size())));
  return commands;
}

void write_experiment(const fs::path& file, const json& changes) {
  json config = json::parse(R"({
    "name": "short",
    "model": { "arch": "vgg", "depth": 11, "width": 0.125, "input": [3, 32, 32], "num_classes": 10 },
    "data": { "kind": "synthetic", "holdout": 0, "augment": ["hflip"], "workers": 0,
              "normalize": { "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25] },
              "synthetic": { "train": 1500, "test": 200 } },
    "train": { "duration": "6ep", "batch_size": 32, "optimizer": { "lr": 0.05 },
               "schedule": { "at": ["5ep"] } },
    "early_bird": { "window": 2, "threshold": 1, "min_channels": 1, "round_to": 1 } })");
  config.merge_patch(changes);
  spit(file, config.dump(2));
}

// A folder in which the README's words mean something.
void write_world(const fs::path& root) {
  fs::create_directories(root / "models");
  for (const char* name : {"quickstart", "vgg16"})
    write_experiment(root / "models" / (std::string(name) + ".json"), json::object());
  const json one_epoch = {{"train", {{"duration", "1ep"}}}, {"data", {{"synthetic", {{"train", 64}}}}}};
  write_experiment(root / "models/vgg16_quarter.json", one_epoch);
  json resnet = one_epoch;
  resnet["model"] = {{"arch", "resnet"}, {"depth", 18}, {"width", 0.0625}};
  write_experiment(root / "models/resnet50.json", resnet);
  write_image_folder(root / "photos", 32, 32, 32, 7);
  RunOptions in_root;
  in_root.cwd = root;
  EXPECT_EQ(
      run_engine({"train", "models/resnet50.json", "--out", "elsewhere", "-q", "--max-steps", "0"}, in_root)
          .exit_code,
      75);
  fs::rename(root / "elsewhere/ckpt/step-00000000/model.safetensors", root / "resnet50.safetensors");
  EXPECT_EQ(
      run_engine({"train", "models/vgg16_quarter.json", "--out", "runs/other", "-q"}, in_root).exit_code, 0);
}

double top1(const fs::path& root, const std::string& checkpoint) {
  RunOptions in_root;
  in_root.cwd = root;
  const Outcome o = run_engine({"eval", checkpoint, "--json"}, in_root);
  EXPECT_EQ(o.exit_code, 0) << o.err;
  return json::parse(o.out)["top1"];
}

}  // namespace

TEST(Readme, its_commands_end_in_networks_that_work) {
  const TempDir dir;
  write_world(dir.path());
  RunOptions in_root;
  in_root.cwd = dir.path();
  const auto commands = commands_of(slurp(source_dir() / "README.md"));
  ASSERT_GT(commands.size(), 15u);
  std::set<std::string> seen;
  for (const auto& words : commands) {
    std::string line;
    for (const std::string& word : words) line += " " + word;
    const Outcome o = run_engine(words, in_root);
    EXPECT_EQ(o.exit_code, 0) << line << "\n" << o.err;
    seen.insert(words.at(0));
  }
  for (const char* name :
       {"train", "draw", "compact", "eval", "export", "import", "report", "compare", "bench"})
    EXPECT_TRUE(seen.count(name)) << name;
  EXPECT_GT(top1(dir.path(), "runs/mine"), 0.3) << "chance is 0.1";
  EXPECT_GT(top1(dir.path(), "runs/p30"), 0.3);
}

TEST(Readme, a_command_is_read_as_a_shell_would) {
  EXPECT_EQ(commands_of("text\n    ./tools/run eval a --json   # why\n    tensorboard --logdir runs\n"),
            (std::vector<std::vector<std::string>>{{"eval", "a", "--json"}}));
}
