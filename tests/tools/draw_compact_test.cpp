// `draw` and `compact` as a user types them: a ticket from a checkpoint, the plan, and a smaller checkpoint
// that the other commands take.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/safetensors.h"
#include "support/run_engine.h"

using namespace eb;
using namespace eb::test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const char* preresnet = R"({"model": {"arch": "preresnet", "depth": 11, "width": 0.25}})";

// A run of three steps; its scales are random enough for a ticket.
std::string short_run(const TempDir& dir, const std::string& extra = "{}") {
  const std::string run = dir / "run";
  const Outcome o = run_engine({"train", tiny_config(dir, extra), "--out", run, "-q", "--max-steps", "3"});
  EXPECT_EQ(o.exit_code, 75) << o.err;
  return run;
}

json facts(const std::vector<std::string>& args) {
  const Outcome o = run_engine(args);
  EXPECT_EQ(o.exit_code, 0) << o.err;
  return o.exit_code == 0 ? json::parse(o.out) : json();
}

std::string expect_fails(int exit_code, const std::vector<std::string>& args) {
  const Outcome o = run_engine(args);
  EXPECT_EQ(o.exit_code, exit_code) << o.err;
  EXPECT_EQ(o.out, "");
  return o.err;
}

int64_t ones(const engine::Tensor& mask) {
  int64_t n = 0;
  for (int64_t i = 0; i < mask.size(); ++i) n += mask.data<uint8_t>()[i];
  return n;
}

}  // namespace

TEST(Draw, writes_a_mask_per_batch_norm_and_counts_it) {
  const TempDir dir;
  const std::string run = short_run(dir), ticket = dir / "t.safetensors";
  // VGG11 at a sixteenth of its width: 172 channels in 8 batch norms.
  const json exact = facts({"draw", run, "--ratio", "0.5", "-o", ticket, "--json"});
  EXPECT_EQ(exact["total"], 172);
  EXPECT_EQ(exact["kept"], 86);
  EXPECT_GT(exact["threshold"], 0);
  ASSERT_EQ(exact["layers"].size(), 8u);
  EXPECT_EQ(exact["layers"][0]["id"], "feature.1");
  EXPECT_EQ(exact["layers"][0]["total"], 4);
  const auto file = engine::read_safetensors(ticket);
  EXPECT_EQ(file.tensors.size(), 8u);
  int64_t kept = 0;
  for (const json& layer : exact["layers"]) {
    const engine::Tensor& mask = file.tensors.at(layer["id"]);
    EXPECT_EQ(mask.dtype(), engine::DType::u8);
    EXPECT_EQ(mask.size(), layer["total"].get<int64_t>());
    EXPECT_EQ(ones(mask), layer["kept"].get<int64_t>());
    kept += ones(mask);
  }
  EXPECT_EQ(kept, 86);
  EXPECT_EQ(file.metadata.at("step"), "3");
  const json reference =
      facts({"draw", run, "--ratio", "0.5", "--rule", "reference", "-o", ticket, "--json"});
  EXPECT_EQ(reference["kept"], 85) << "strictly above the sorted value";
  EXPECT_EQ(engine::read_safetensors(ticket).metadata.at("rule"), "reference");
}

TEST(Draw, a_preresnet_ticket_carries_select_indexes) {
  const TempDir dir;
  const std::string ticket = dir / "t.safetensors";
  facts({"draw", short_run(dir, preresnet), "--ratio", "0.3", "-o", ticket, "--json"});
  const auto file = engine::read_safetensors(ticket);
  for (const char* id : {"layer1.0.", "layer2.0.", "layer3.0.", ""}) {
    const std::string select = std::string(id) + "select.indexes";
    ASSERT_TRUE(file.tensors.count(select)) << select;
    const engine::Tensor &indexes = file.tensors.at(select),
                         &mask = file.tensors.at(*id ? std::string(id) + "bn1" : "bn");
    ASSERT_EQ(indexes.dtype(), engine::DType::f32);
    for (int64_t i = 0; i < mask.size(); ++i)
      EXPECT_EQ(indexes.data<float>()[i], static_cast<float>(mask.data<uint8_t>()[i]));
  }
}

TEST(Draw, faults) {
  const TempDir dir;
  const std::string run = short_run(dir), ticket = dir / "t.safetensors";
  for (const char* ratio : {"0", "1", "-0.5", "nan"})
    expect_fails(2, {"draw", run, "--ratio", ratio, "-o", ticket});
  expect_fails(2, {"draw", run, "--ratio", "0.5"});
  expect_fails(2, {"draw", run, "--ratio", "0.5", "--rule", "best", "-o", ticket});
  expect_fails(4, {"draw", dir / "nowhere", "--ratio", "0.5", "-o", ticket});
  EXPECT_FALSE(fs::exists(ticket));
}

TEST(Compact, writes_a_smaller_checkpoint_that_the_other_commands_take) {
  for (const char* extra : {"{}", preresnet}) {
    const TempDir dir;
    const std::string run = short_run(dir, extra), ticket = dir / "t.safetensors", small = dir / "small";
    facts({"draw", run, "--ratio", "0.5", "-o", ticket, "--json"});
    const json plan = facts({"compact", run, "--ticket", ticket, "--dry-run", "--json"});
    EXPECT_FALSE(fs::exists(small));
    EXPECT_EQ(facts({"compact", run, "--ticket", ticket, "-o", small, "--json"}), plan);
    EXPECT_LT(plan["params"][1], plan["params"][0]);
    EXPECT_LT(plan["flops_per_image"][1], plan["flops_per_image"][0]);
    EXPECT_FALSE(plan["layers"].empty());
    const json before = facts({"inspect", run, "--json"}), after = facts({"inspect", small, "--json"});
    EXPECT_EQ(before["params"], plan["params"][0]);
    EXPECT_EQ(after["params"], plan["params"][1]);
    const engine::Checkpoint c = engine::load_checkpoint(small);
    EXPECT_EQ(c.state["phase"], "compact");
    EXPECT_EQ(c.state["step"], 3);
    EXPECT_NE(c.state["compacted_from"].get<std::string>().find("step-00000003"), std::string::npos);
    EXPECT_EQ(c.optim.size(), engine::load_checkpoint(run + "/ckpt/step-00000003").optim.size());
    double momentum = 0;
    for (const auto& [name, t] : c.optim)
      for (int64_t i = 0; i < t.size(); ++i) momentum += std::abs(t.data<float>()[i]);
    EXPECT_GT(momentum, 0);
    EXPECT_EQ(facts({"eval", small, "--json"})["total"], 64);
    // And once more from there, at another ratio.
    const std::string again = dir / "again.safetensors";
    facts({"draw", small, "--ratio", "0.3", "-o", again, "--json", "--again"});
    const json second =
        facts({"compact", small, "--ticket", again, "-o", dir / "smaller", "--json", "--again"});
    EXPECT_EQ(second["params"][0], plan["params"][1]);
    EXPECT_LT(second["params"][1], second["params"][0]);
    EXPECT_EQ(facts({"eval", dir / "smaller", "--json"})["total"], 64);
  }
}

TEST(Compact, min_channels_round_to_and_protect_show_in_the_plan) {
  const TempDir dir;
  const std::string run = short_run(dir), ticket = dir / "t.safetensors";
  facts({"draw", run, "--ratio", "0.5", "-o", ticket, "--json"});
  const json plan = facts({"compact", run, "--ticket", ticket, "--dry-run", "--json", "--min-channels", "3",
                           "--round-to", "4", "--round", "nearest", "--protect", "feature.1", "feature.2*"});
  int held = 0;
  for (const json& layer : plan["layers"]) {
    const std::string id = layer["id"];
    if (layer["op"] != "bn") continue;
    EXPECT_EQ(layer["channels"][1].get<int>() % 4, 0) << id;
    if (id == "feature.1" || id.starts_with("feature.2")) {
      EXPECT_EQ(layer["channels"][0], layer["channels"][1]) << id;
    }
  }
  for (const json& hold : plan["holds"]) held += hold["why"] == "protect";
  EXPECT_GE(held, 1);
  const Outcome table = run_engine({"compact", run, "--ticket", ticket, "--dry-run"});
  EXPECT_EQ(table.exit_code, 0);
  EXPECT_NE(table.out.find("feature.1"), std::string::npos);
  EXPECT_NE(table.out.find(" -> "), std::string::npos);
}

TEST(Compact, faults) {
  const TempDir dir;
  const std::string run = short_run(dir), ticket = dir / "t.safetensors", out = dir / "out";
  facts({"draw", run, "--ratio", "0.5", "-o", ticket, "--json"});
  expect_fails(2, {"compact", run, "--ticket", ticket});
  expect_fails(2, {"compact", run, "-o", out});
  expect_fails(2, {"compact", run, "--ticket", ticket, "-o", out, "--round-to", "0"});
  EXPECT_NE(expect_fails(4, {"compact", run, "--ticket", dir / "none", "-o", out}).find("none"),
            std::string::npos);
  fs::create_directory(out);
  EXPECT_NE(expect_fails(2, {"compact", run, "--ticket", ticket, "-o", out}).find(out), std::string::npos);
  EXPECT_TRUE(fs::is_empty(out));
  const std::string bytes = slurp(ticket);
  spit(ticket, bytes.substr(0, bytes.size() - 1));
  expect_fails(4, {"compact", run, "--ticket", ticket, "-o", dir / "new"});
  EXPECT_FALSE(fs::exists(dir / "new"));
}

TEST(Compact, another_networks_ticket_is_refused) {
  const TempDir a, b;
  const std::string vgg = short_run(a), other = short_run(b, preresnet), ticket = a / "t.safetensors";
  facts({"draw", vgg, "--ratio", "0.5", "-o", ticket, "--json"});
  const std::string error = expect_fails(4, {"compact", other, "--ticket", ticket, "--dry-run"});
  EXPECT_NE(error.find("another network"), std::string::npos) << error;
}
