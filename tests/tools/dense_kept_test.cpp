// What a run keeps of its draw, and that nothing prunes its ticket a second time unasked.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "engine/checkpoint/checkpoint.h"
#include "support/paths.h"
#include "support/run_engine.h"

using namespace eb;
using namespace eb::test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

json printed(const std::vector<std::string>& args) {
  const Outcome o = run_engine(args);
  EXPECT_EQ(o.exit_code, 0) << o.err;
  return json::parse(o.out, nullptr, false);
}

// p30 emerges at epoch 2; p50 is drawn at 4.
const char* two_tickets =
    R"({"early_bird": {"window": 2, "threshold": 1, "draw_at": "4ep", "deadline": null}})";

std::map<std::string, std::string> files_in(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(folder))
    files[entry.path().filename().string()] = slurp(entry.path());
  return files;
}

std::string refused(const std::vector<std::string>& args) {
  const Outcome o = run_engine(args);
  EXPECT_EQ(o.exit_code, 4) << o.err;
  EXPECT_NE(o.err.find("EB4035"), std::string::npos) << o.err;
  return o.err;
}

bool says(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

}  // namespace

TEST(DenseKept, draw_and_compact_of_a_finished_run_give_its_ticket_again) {
  const TempDir dir;
  const std::string run = dir / "run", ticket = dir / "t.safetensors", small = dir / "small";
  const json s = printed({"train", tiny_config(dir, two_tickets), "--out", run, "-q", "--json"});
  EXPECT_EQ(s["eb"]["draw"]["dense_checkpoint"], "dense");
  EXPECT_EQ(printed({"eval", run + "/dense", "--json"})["top1"], s["dense"]["test_top1"]);
  const engine::Checkpoint dense = engine::load_checkpoint(run + "/dense");
  EXPECT_EQ(dense.state["epoch"], 4);
  EXPECT_EQ(dense.state["phase"], "search");

  const Outcome drawn = run_engine({"draw", run, "--ratio", "0.5", "-o", ticket, "--json"});
  ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
  EXPECT_TRUE(says(drawn.err, run + "/dense")) << drawn.err;
  EXPECT_EQ(json::parse(drawn.out)["checkpoint"], run + "/dense");
  EXPECT_EQ(json::parse(drawn.out)["total"], 172);
  const json plan = printed({"compact", run, "--ticket", ticket, "-o", small, "--json"});
  EXPECT_EQ(plan["params"], json({s["dense"]["params"], s["ticket"]["params"]}));
  const engine::Checkpoint compacted = engine::load_checkpoint(small);
  EXPECT_EQ(compacted.state["compacted_from"], run + "/dense");
  EXPECT_EQ(compacted.graph(), engine::load_checkpoint(engine::resolve_checkpoint(run)).graph());
  EXPECT_FALSE(compacted.optim.empty());
}

TEST(DenseKept, tickets_of_other_ratios_are_kept_and_listed) {
  const TempDir dir;
  const std::string run = dir / "run";
  const json s = printed({"train", tiny_config(dir, two_tickets), "--out", run, "-q", "--json"});
  EXPECT_EQ(s["eb"]["tickets"],
            json({{"p30", "tickets/p30-ep2.safetensors"}, {"p50", "tickets/p50-ep2.safetensors"}}));
  EXPECT_EQ(s["eb"]["draw"]["file"], "tickets/p50-ep4.safetensors");
  const json report = json::parse(slurp(run + "/report/report.json"))["runs"][0]["early_bird"];
  EXPECT_EQ(report["ratios"][0]["ticket"], "tickets/p30-ep2.safetensors");
  EXPECT_EQ(report["draw"]["dense_checkpoint"], "dense");
  const json plan =
      printed({"compact", run, "--ticket", run + "/tickets/p30-ep2.safetensors", "--dry-run", "--json"});
  EXPECT_LT(plan["params"][1], plan["params"][0]);
  EXPECT_GT(plan["params"][1], s["ticket"]["params"]);
}

TEST(DenseKept, what_is_pruned_is_pruned_again_only_when_asked) {
  const TempDir dir;
  const std::string run = dir / "run", ticket = dir / "t.safetensors", last = run + "/ckpt/step-00000024";
  const json s = printed({"train", tiny_config(dir), "--out", run, "-q", "--json"});
  for (const std::string& checkpoint : {last, run + "/latest", run + "/best"}) {
    const std::string error = refused({"draw", checkpoint, "--ratio", "0.5", "-o", ticket});
    EXPECT_TRUE(says(error, run + "/dense") && says(error, "--again")) << error;
  }
  EXPECT_FALSE(fs::exists(ticket));
  const json again = printed({"draw", run, "--ratio", "0.5", "-o", ticket, "--again", "--json"});
  EXPECT_EQ(again["checkpoint"], last);
  EXPECT_EQ(again["total"], 86) << "of the channels that are left";
  refused({"compact", last, "--ticket", ticket, "--dry-run"});
  const json plan = printed({"compact", run, "--ticket", ticket, "--again", "--dry-run", "--json"});
  EXPECT_EQ(plan["params"][0], s["ticket"]["params"]);
  // What is taken away is the network that finished the run.
  EXPECT_EQ(printed({"export", run, "--to", "torch", "-o", dir / "out", "--json"})["params"],
            s["ticket"]["params"]);
  EXPECT_EQ(printed({"eval", run, "--json"})["top1"], s["ticket"]["test_top1"]);
}

TEST(DenseKept, a_run_without_one_says_so) {
  const TempDir dir;
  const std::string run = dir / "run", ticket = dir / "t.safetensors";
  const json s = printed(
      {"train", tiny_config(dir), "--out", run, "-q", "--json", "--set", "checkpoint.keep_dense=false"});
  EXPECT_FALSE(fs::exists(run + "/dense"));
  EXPECT_FALSE(s["eb"]["draw"].contains("dense_checkpoint"));
  EXPECT_TRUE(says(refused({"draw", run, "--ratio", "0.5", "-o", ticket}), "name the dense network"));
}

TEST(DenseKept, a_run_stopped_around_the_draw_keeps_the_same_bytes) {
  const TempDir dir;
  const std::string config = tiny_config(dir, two_tickets);
  const auto go = [&](const std::string& run, const char* steps) {
    return run_engine({"train", config, "--out", run, "-q", "--deterministic", "--max-steps", steps})
        .exit_code;
  };
  ASSERT_EQ(go(dir / "straight", "99"), 0);
  const auto dense = files_in(dir / "straight/dense"), tickets = files_in(dir / "straight/tickets");
  EXPECT_EQ(tickets.size(), 3u);
  for (const char* steps : {"5", "12"}) {
    const std::string run = dir / (std::string("stopped") + steps);
    ASSERT_EQ(go(run, steps), 75);
    if (steps == std::string("12"))
      fs::remove_all(run + "/ckpt/step-00000012");  // as if it were cut off there
    ASSERT_EQ(go(run, "99"), 0);
    EXPECT_EQ(files_in(run + "/dense"), dense) << steps;
    EXPECT_EQ(files_in(run + "/tickets"), tickets) << steps;
  }
}
