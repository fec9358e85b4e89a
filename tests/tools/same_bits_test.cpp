// Short trainings whose weights were recorded: a change that is not meant to change numbers must not. Bits
// depend on the CPU (oneDNN chooses its kernels by it), so records are by CPU, and on another one the test
// only says that it has none. A change that is meant to: put what the failing test prints into
// data_files/same_bits.json.
#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/paths.h"
#include "support/run_engine.h"

namespace eb::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// "AuthenticAMD-25-1": vendor, family and model of /proc/cpuinfo.
std::string cpu_name() {
  std::ifstream in("/proc/cpuinfo");
  std::string name;
  for (std::string line; std::getline(in, line) && !line.empty();)
    for (const char* key : {"vendor_id\t", "cpu family\t", "model\t"})
      if (line.starts_with(key)) name += (name.empty() ? "" : "-") + line.substr(line.find(": ") + 2);
  return name;
}

// Of a safetensors file's numbers: its header holds the config, which may grow.
std::string hash_of_tensors(const fs::path& file) {
  const std::string bytes = slurp(file);
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  const XXH128_hash_t hash = XXH3_128bits(bytes.data() + 8 + header, bytes.size() - 8 - header);
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text;
}

struct Training {
  const char* name;
  const char* config;  // a file of models/ or JSON
  std::vector<std::string> sets;
  friend std::ostream& operator<<(std::ostream& out, const Training& t) { return out << t.name; }
};

const std::vector<std::string> short_quickstart = {"train.duration=4ep",      "data.synthetic.train=640",
                                                   "data.synthetic.test=128", "early_bird.deadline=3ep",
                                                   "early_bird.window=2",     "train.schedule.at=[]"};

std::vector<std::string> with(std::vector<std::string> sets, const std::vector<std::string>& more) {
  sets.insert(sets.end(), more.begin(), more.end());
  return sets;
}

// Every kind of node: batch norms before and after, selects, adds, strides, pools; a draw in each.
const Training trainings[] = {
    {"quickstart", "quickstart.json", short_quickstart},
    {"quickstart_in_8_bit", "quickstart.json",
     with(short_quickstart, {"precision.preset=swalp8", "swa.enabled=true"})},
    {"preresnet20",
     R"({"model": {"arch": "preresnet", "depth": 20, "input": [3, 32, 32], "num_classes": 10},
      "data": {"kind": "synthetic", "holdout": 0, "augment": ["pad4_crop32", "hflip"], "workers": 0,
               "synthetic": {"train": 64, "test": 32, "size": 32, "classes": 10}},
      "train": {"duration": "3ep", "batch_size": 32, "eval_batch_size": 32, "optimizer": {"lr": 0.05}},
      "early_bird": {"watch": [0.5], "draw": 0.5, "window": 2, "deadline": "2ep"}})",
     {}},
    {"resnet18",
     R"({"model": {"arch": "resnet", "depth": 18, "width": 0.25, "input": [3, 64, 64], "num_classes": 10},
      "data": {"kind": "synthetic", "holdout": 0, "augment": ["hflip"], "workers": 0,
               "synthetic": {"train": 32, "test": 16, "size": 64, "classes": 10}},
      "train": {"duration": "3ep", "batch_size": 16, "eval_batch_size": 16, "optimizer": {"lr": 0.05}},
      "early_bird": {"watch": [0.5], "draw": 0.5, "window": 2, "deadline": "2ep"}})",
     {}},
};

class SameBits : public testing::TestWithParam<Training> {};

TEST_P(SameBits, weights_are_those_that_were_recorded) {
  const json records = json::parse(slurp(source_dir() / "tests/data_files/same_bits.json"));
  if (!records.contains(cpu_name())) GTEST_SKIP() << "no record for the CPU " << cpu_name();
  const TempDir dir;
  std::string config = (source_dir() / "models" / GetParam().config).string();
  if (GetParam().config[0] == '{') spit(config = dir / "config.json", GetParam().config);
  std::vector<std::string> words = {"train", config,  "--deterministic", "--quiet", "--threads",
                                    "1",     "--out", dir / "run",       "--set",   "log.report=off"};
  for (const std::string& set : GetParam().sets) words.insert(words.end(), {"--set", set});
  const Outcome o = run_engine(words);
  ASSERT_EQ(o.exit_code, 0) << o.err;
  const fs::path checkpoints = fs::path(dir / "run") / "ckpt";
  const std::string last = json::parse(slurp(checkpoints / "latest.json")).at("path");
  EXPECT_EQ(records.at(cpu_name()).at(GetParam().name),
            hash_of_tensors(checkpoints / last / "model.safetensors"))
      << "on " << cpu_name();
}

INSTANTIATE_TEST_SUITE_P(All, SameBits, testing::ValuesIn(trainings),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace eb::test
