// Whole runs of the binary on the emulated device: the same tickets as on the CPU, and a kernel that fails in
// the middle costs nothing but the steps since the last checkpoint.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/devices.h"
#include "support/pruning_models.h"
#include "support/run_engine.h"

namespace eb::test {
namespace {

namespace fs = std::filesystem;

// Three full batches and a short one: two recorded steps, and again two for the compacted network, which is
// stored as on the CPU.
std::string small_run() {
  auto config = nlohmann::json::parse(R"({
    "model": {"arch": null, "depth": null, "width": null, "input": [3, 8, 8], "num_classes": 4},
    "data": {"synthetic": {"train": 28, "test": 8, "size": 8, "classes": 4}},
    "train": {"duration": "5ep", "batch_size": 8, "eval_batch_size": 8},
    "early_bird": {"deadline": "3ep"}, "swa": {"enabled": true, "start": "3ep"}, "log": {"every": 2},
    "cuda": {"pad_channels": false}})");
  config["model"]["graph"] = nlohmann::json::parse(tiny_graph_json());
  return config.dump();
}

std::vector<std::string> words(const std::string& config, const std::string& out, const std::string& device) {
  return {"train", config, "--out", out, "--device", device, "--quiet", "--json"};
}

nlohmann::json summary_of(const Outcome& o) {
  EXPECT_EQ(o.exit_code, 0) << o.err;
  return nlohmann::json::parse(o.out);
}

std::vector<double> epoch_losses(const fs::path& run) {
  std::vector<double> losses;
  std::istringstream lines(slurp(run / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const auto m = nlohmann::json::parse(line);
    if (m["split"] == "epoch") losses.push_back(m["train/loss"]);
  }
  return losses;
}

class EmulatedTrain : public testing::Test {
 protected:
  void SetUp() override {
    const uint64_t schedule = test_device().schedule;
    if (schedule > 1 && schedule != TestDevice::drawn) GTEST_SKIP() << "the binary has one schedule";
  }
  TempDir dir_;
  std::string config_ = tiny_config(dir_, small_run());
};

TEST_F(EmulatedTrain, cudnn_is_refused_by_name) {
  auto args = words(config_, dir_ / "run", "cuda");
  args.insert(args.end(), {"--conv", "cudnn"});
  const Outcome o = run_engine(args);
  EXPECT_EQ(o.exit_code, 5);
  for (const char* part : {"EB5003", "this build was compiled without cuDNN", "--conv ours"})
    EXPECT_NE(o.err.find(part), std::string::npos) << o.err;
}

TEST_F(EmulatedTrain, finds_the_cpus_ticket) {
  const auto cpu = summary_of(run_engine(words(config_, dir_ / "cpu", "cpu")));
  const auto emulated = summary_of(run_engine(words(config_, dir_ / "cuda", "cuda")));
  EXPECT_EQ(emulated["eb"]["epochs"], cpu["eb"]["epochs"]);
  for (const char* masks : {"masks/p30.bits", "masks/p50.bits"})
    EXPECT_EQ(slurp(fs::path(dir_ / "cuda") / masks), slurp(fs::path(dir_ / "cpu") / masks)) << masks;
  EXPECT_EQ(emulated["ticket"]["params"], cpu["ticket"]["params"]);
  EXPECT_EQ(emulated["swa"]["models"], 2);
  EXPECT_NEAR(emulated["swa"]["loss"].get<double>(), cpu["swa"]["loss"].get<double>(), 2e-3);
  const auto want = epoch_losses(dir_ / "cpu"), got = epoch_losses(dir_ / "cuda");
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 2e-3) << "epoch " << i;
}

std::vector<int64_t> stored_channels(const fs::path& run) {
  std::vector<int64_t> channels;
  const Outcome o = run_engine({"inspect", run.string(), "--json"});
  EXPECT_EQ(o.exit_code, 0) << o.err;
  const auto inspected = nlohmann::json::parse(o.out);
  for (const auto& node : inspected["layers"])
    if (node["op"] == "conv") channels.push_back(node["shape"][2]);
  return channels;
}

// The kernels want eights, the ticket does not: it is the CPU's, stored wider.
TEST_F(EmulatedTrain, stores_an_unrounded_ticket_in_eights) {
  const auto run = [&](const char* device) {
    auto command = words(config_, dir_ / device, device);
    for (const char* set : {"early_bird.round_to=1", "early_bird.min_channels=1", "cuda.pad_channels=true"})
      command.insert(command.end(), {"--set", set});
    summary_of(run_engine(command));
    return stored_channels(dir_ / device);
  };
  const auto cpu = run("cpu"), card = run("cuda");
  EXPECT_EQ(slurp(fs::path(dir_ / "cuda") / "masks/p50.bits"),
            slurp(fs::path(dir_ / "cpu") / "masks/p50.bits"));
  ASSERT_EQ(card.size(), cpu.size());
  EXPECT_NE(card, cpu) << "the ticket has eights by itself";
  for (size_t i = 0; i < card.size(); ++i) {
    EXPECT_TRUE(card[i] % 8 == 0 || card[i] == 13) << card[i] << " of at most 13";
    EXPECT_GE(card[i], cpu[i]);
  }
}

// Integer products have no rounding, but statistics and sums of gradients have; masks are drawn from scales
// whose grid is coarser than that.
TEST_F(EmulatedTrain, finds_the_cpus_ticket_in_8_bit) {
  const auto run = [&](const char* device) {
    auto command = words(config_, dir_ / device, device);
    command.insert(command.end(), {"--set", "precision.preset=swalp8"});
    return summary_of(run_engine(command));
  };
  const auto cpu = run("cpu"), emulated = run("cuda");
  EXPECT_EQ(emulated["eb"]["epochs"], cpu["eb"]["epochs"]);
  for (const char* masks : {"masks/p30.bits", "masks/p50.bits"})
    EXPECT_EQ(slurp(fs::path(dir_ / "cuda") / masks), slurp(fs::path(dir_ / "cpu") / masks)) << masks;
  EXPECT_EQ(emulated["ticket"]["params"], cpu["ticket"]["params"]);
  for (const auto& phase : emulated["phases"]) EXPECT_EQ(phase["precision"], "8-bit");
}

TEST_F(EmulatedTrain, goes_on_after_a_kernel_failed) {
  const auto whole = summary_of(run_engine(words(config_, dir_ / "whole", "cuda")));
  const Outcome failed =
      run_engine(words(config_, dir_ / "failed", "cuda"), {.env = {"EB_EMULATED_FAIL=sgd:14"}});
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_NE(failed.err.find("EB1001"), std::string::npos) << failed.err;
  EXPECT_EQ(nlohmann::json::parse(slurp(fs::path(dir_ / "failed") / "status.json"))["exit_code"], 1);
  const auto resumed = summary_of(run_engine(words(config_, dir_ / "failed", "cuda")));
  EXPECT_EQ(epoch_losses(dir_ / "failed"), epoch_losses(dir_ / "whole"));
  EXPECT_EQ(resumed["eb"]["epochs"], whole["eb"]["epochs"]);
  EXPECT_EQ(resumed["ticket"]["test_top1"], whole["ticket"]["test_top1"]);
  EXPECT_EQ(resumed["swa"], whole["swa"]);
}

// The sixth step is a replay, which is one launch and names nothing; with EB_CUDA_SYNC=1 no step is recorded.
TEST_F(EmulatedTrain, names_the_kernel_of_a_later_step_and_tells_who_looks) {
  const Outcome replayed =
      run_engine(words(config_, dir_ / "replayed", "cuda"), {.env = {"EB_EMULATED_FAIL=sgd:5"}});
  EXPECT_NE(replayed.err.find("[replay the captured step]"), std::string::npos) << replayed.err;
  const std::string run = dir_ / "named", why = "a kernel failed: [sgd] failed on purpose";
  const Outcome failed = run_engine({"train", config_, "--out", run, "--device", "cuda"},
                                    {.env = {"EB_EMULATED_FAIL=sgd:5", "EB_CUDA_SYNC=1"}});
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_NE(failed.err.find("error[EB1001]: " + why), std::string::npos) << failed.err;
  EXPECT_NE(failed.err.find("no step is recorded"), std::string::npos) << failed.err;
  const Outcome watched = run_engine({"watch", run, "--once"});
  EXPECT_NE(watched.out.find("failed with exit code 1: " + why), std::string::npos) << watched.out;
  const Outcome reported = run_engine({"report", run, "--json"});
  EXPECT_NE(reported.out.find("the run failed: " + why), std::string::npos) << reported.out;
}

// The network's first kernel: before the first step, and before the session.
TEST_F(EmulatedTrain, a_device_that_fails_at_once_is_told_to_who_looks) {
  const std::string run = dir_ / "run";
  const Outcome failed = run_engine(words(config_, run, "cuda"), {.env = {"EB_EMULATED_FAIL=fill:0"}});
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_NE(failed.err.find("EB1001"), std::string::npos) << failed.err;
  const Outcome watched = run_engine({"watch", run, "--once"});
  EXPECT_NE(watched.out.find("failed with exit code 1: a kernel failed"), std::string::npos) << watched.out;
  auto one_step = words(config_, run, "cuda");
  one_step.insert(one_step.end(), {"--max-steps", "1"});
  EXPECT_EQ(run_engine(one_step).exit_code, 75);
  const Outcome again = run_engine(words(config_, run, "cuda"), {.env = {"EB_EMULATED_FAIL=fill:0"}});
  EXPECT_EQ(again.exit_code, 1) << "now it is resumed";
  EXPECT_EQ(nlohmann::json::parse(slurp(fs::path(run) / "status.json"))["exit_code"], 1);
}

// Bits do not depend on whether steps are recorded.
TEST_F(EmulatedTrain, waits_for_each_kernel_with_the_same_losses) {
  summary_of(run_engine(words(config_, dir_ / "recorded", "cuda")));
  summary_of(run_engine(words(config_, dir_ / "waiting", "cuda"), {.env = {"EB_CUDA_SYNC=1"}}));
  EXPECT_EQ(epoch_losses(dir_ / "waiting"), epoch_losses(dir_ / "recorded"));
}

TEST_F(EmulatedTrain, says_what_it_wanted_when_memory_runs_out) {
  auto command = words(tiny_config(dir_, R"({"model": {"width": 0.25}})"), dir_ / "full", "cuda");
  command.insert(command.end(), {"--set", "cuda.memory_mib=1"});
  const Outcome o = run_engine(command);
  EXPECT_EQ(o.exit_code, 6);
  EXPECT_NE(o.err.find("EB6002"), std::string::npos) << o.err;
  EXPECT_NE(o.err.find("of a budget of 1.0 MiB"), std::string::npos) << o.err;
  const auto status = nlohmann::json::parse(slurp(fs::path(dir_ / "full") / "status.json"));
  EXPECT_EQ(status["exit_code"], 6) << status;
}

}  // namespace
}  // namespace eb::test
