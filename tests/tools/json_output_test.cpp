// --json: one JSON value on stdout and nothing else, whatever is said on stderr, of every command that has
// it.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "support/run_ranks.h"
#include "tools/cli/commands.h"

using namespace eb::test;
using nlohmann::json;

namespace {

void collect(const std::vector<eb::tools::Command>& commands, const std::string& above,
             std::set<std::string>& found) {
  for (const auto& command : commands) {
    collect(command.commands, above + command.name + " ", found);
    for (const auto& flag : command.flags)
      if (flag.names == "--json") found.insert(above + command.name);
  }
}

using Words = std::vector<std::string>;

// In order: a later command reads what an earlier one wrote.
std::vector<std::pair<std::string, Words>> calls(const TempDir& dir) {
  const std::string config = tiny_config(dir), run = dir / "run";
  return {{"train", {"train", config, "--out", run, "--max-steps", "2"}},
          {"train", {"train", config, "--out", run, "--until", "draw"}},
          {"eval", {"eval", run}},
          {"draw", {"draw", run, "--ratio", "0.5", "-o", dir / "t.safetensors"}},
          {"compact", {"compact", run, "--ticket", dir / "t.safetensors", "--dry-run"}},
          {"export", {"export", run, "--to", "torch", "-o", dir / "torch"}},
          {"import", {"import", dir / "torch/model.safetensors", "--model", config, "-o", dir / "in"}},
          {"inspect", {"inspect", run}},
          {"inspect", {"inspect", dir / "t.safetensors"}},
          {"report", {"report", run}},
          {"report", {"report", run, "-o", dir / "page.html"}},
          {"compare",
           {"compare", config, "--out", dir / "c", "--variants", "dense,eb", "--ratios", "0.5", "--set",
            "train.duration=2ep", "--set", "early_bird.deadline=null"}},
          {"data stats", {"data", "stats", config}},
          {"data verify", {"data", "verify", config}},
          {"config show", {"config", "show", config}},
          {"config show", {"config", "show", config, "--origin"}},
          {"config validate", {"config", "validate", config}},
          {"config explain", {"config", "explain"}},
          {"config explain", {"config", "explain", "early_bird"}},
          {"config explain", {"config", "explain", "seed"}},
          {"bench step", {"bench", "step", config, "--batch", "2", "--steps", "1", "--warmup", "0"}},
          {"bench step",
           {"bench", "step", config, "--batch", "2", "--steps", "1", "--warmup", "0", "--each-precision"}},
          {"bench kernels", {"bench", "kernels", "--filter", "^linear_forward", "--seconds", "0.0001"}},
          {"bench kernels", {"bench", "kernels", "--filter", "^linear_forward", "--list"}},
          {"bench comm", {"bench", "comm", "--ranks", "2", "--seconds", "0.01", "--max-mib", "1"}},
          {"bench scaling",
           {"bench", "scaling", config, "--ranks", "1,2", "--batch", "2", "--steps", "1", "--rounds", "1"}},
          {"doctor", {"doctor", "--out", dir / "runs"}},
          {"version", {"version"}}};
}

}  // namespace

TEST(JsonOutput, is_json_alone) {
  const TempDir dir;
  std::set<std::string> commands, called;
  collect(eb::tools::commands(), "", commands);
  for (auto [name, words] : calls(dir)) {
    called.insert(name);
    if ((name == "bench comm" || name == "bench scaling") && !have_mpirun()) continue;
    words.emplace_back("--json");
    const Outcome o = run_engine(words);
    const bool of_this_machine = name == "doctor" && o.exit_code == 5;
    EXPECT_TRUE(o.exit_code == 0 || o.exit_code == 75 || of_this_machine) << name << ": " << o.err;
    EXPECT_FALSE(json::parse(o.out, nullptr, false).is_discarded()) << name << ": " << o.out.substr(0, 500);
  }
  EXPECT_EQ(called, commands);
}
