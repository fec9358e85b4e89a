// Every number of report.json against the files of the run it is about.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "engine/checkpoint/safetensors.h"
#include "engine/run/record.h"
#include "pruning/mask_history.h"
#include "support/report_run.h"

using namespace eb::test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

void check_networks(const json& run, const json& summary) {
  ASSERT_EQ(run["networks"].size(), 2u);
  for (const auto& [i, name] : {std::pair(0, "dense"), std::pair(1, "ticket")}) {
    const json &row = run["networks"][i], &want = summary[name], &phase = summary["phases"][i];
    EXPECT_EQ(row["top1_last"], want["test_top1"]);
    EXPECT_EQ(row["top5_last"], want["test_top5"]);
    for (const char* key :
         {"params", "flops_per_image", "training_flops", "seconds", "images_per_s", "joules"})
      EXPECT_EQ(row[key], want[key]) << name << " " << key;
    for (const char* key : {"macs_per_image", "peak_memory_bytes"}) {
      EXPECT_EQ(row[key], phase[key]) << name << " " << key;
      EXPECT_GT(row[key], 0);
    }
    EXPECT_EQ(row["weight_bytes"], 4 * row["params"].get<int64_t>());
    EXPECT_EQ(row["best_rule"], "on the test set");
  }
  EXPECT_EQ(run["networks"][0]["label"], "dense");
  EXPECT_EQ(run["networks"][1]["label"], "ticket p=0.5");
  EXPECT_EQ(run["networks"][1]["ratio"], 0.5);
  EXPECT_EQ(run["networks"][0]["top1_note"], summary["dense"]["test_top1_note"]);
  EXPECT_EQ(run["networks"][1]["top1_best"], summary["best"]["test_top1"]);
  EXPECT_EQ(run["networks"][1]["best_epoch"], summary["best"]["epoch"]);
  EXPECT_LT(run["networks"][1]["macs_per_image"], run["networks"][0]["macs_per_image"]);
  EXPECT_LT(run["networks"][1]["peak_memory_bytes"], run["networks"][0]["peak_memory_bytes"]);
}

// The parts of a phase are what its whole time is made of.
void check_phases(const json& run, const json& summary) {
  ASSERT_EQ(run["phases"].size(), summary["phases"].size());
  for (size_t i = 0; i < run["phases"].size(); ++i) {
    const json &phase = run["phases"][i], &want = summary["phases"][i], &seconds = phase["seconds"];
    for (const char* key :
         {"name", "start_step", "steps", "samples", "params", "flops_per_image", "precision"})
      EXPECT_EQ(phase[key], want[key]) << key;
    EXPECT_EQ(phase["bytes"], want["bytes"]);
    EXPECT_DOUBLE_EQ(phase["start_epoch"], want["start_step"].get<double>() / 3);
    EXPECT_DOUBLE_EQ(phase["images_per_s"],
                     want["samples"].get<double>() / want["train_seconds"].get<double>());
    EXPECT_EQ(seconds["training"], want["train_seconds"]);
    EXPECT_EQ(seconds["data_wait"], want["data_wait_seconds"]);
    EXPECT_EQ(seconds["evaluation"], want["eval_seconds"]);
    double parts = 0;
    for (const char* key : {"forward", "backward", "optimizer"}) {
      EXPECT_GT(seconds[key], 0) << key;
      EXPECT_EQ(seconds[key], want["seconds"][key]);
      parts += seconds[key].get<double>();
    }
    EXPECT_LE(parts, seconds["training"].get<double>());
    EXPECT_GT(parts, 0.5 * seconds["training"].get<double>());
    EXPECT_GT(seconds["checkpoint"], 0);
    EXPECT_EQ(seconds["early_bird"].is_number(), phase["name"] == "search");
    EXPECT_GE(seconds["other"], 0);
    double all = 0;
    for (const auto& [name, value] : seconds.items())
      if (name != "training" && value.is_number()) all += value.get<double>();
    EXPECT_NEAR(all, want["seconds"]["wall"].get<double>(), 1e-6);
  }
}

void check_epochs(const json& run, const fs::path& directory) {
  const json lines = epoch_lines(directory);
  ASSERT_EQ(run["epochs"].size(), lines.size());
  ASSERT_EQ(lines.size(), 8u);
  for (size_t i = 0; i < lines.size(); ++i) {
    const json& epoch = run["epochs"][i];
    for (const auto& [key, metric] : std::map<std::string, std::string>{{"epoch", "epoch"},
                                                                        {"phase", "phase"},
                                                                        {"train_loss", "train/loss"},
                                                                        {"train_top1", "train/top1"},
                                                                        {"test_loss", "test/loss"},
                                                                        {"test_top1", "test/top1"},
                                                                        {"test_top5", "test/top5"},
                                                                        {"lr", "train/lr"},
                                                                        {"images_per_s", "perf/images_per_s"},
                                                                        {"seconds", "perf/seconds"}})
      EXPECT_EQ(epoch[key], lines[i][metric]) << key;
    EXPECT_TRUE(epoch["holdout_top1"].is_null());
  }
}

void check_search(const json& run, const fs::path& directory, const json& summary) {
  const json& eb = run["early_bird"];
  for (const char* key : {"threshold", "window", "compare", "rule"}) EXPECT_EQ(eb[key], summary["eb"][key]);
  EXPECT_EQ(eb["criterion"], "bn_gamma");
  for (const char* key : {"ratio", "epoch", "step", "found_by", "file"})
    EXPECT_EQ(eb["draw"][key], summary["eb"]["draw"][key]) << key;
  const json lines = epoch_lines(directory);
  ASSERT_EQ(eb["ratios"].size(), 2u);
  for (const json& ratio : eb["ratios"]) {
    const std::string name = ratio["name"];
    const auto masks = eb::pruning::read_mask_history(directory / "masks" / (name + ".bits"));
    const auto distances = eb::pruning::pairwise_distances(masks);
    const size_t n = masks.masks.size();
    EXPECT_EQ(ratio["bits"], masks.bits);
    ASSERT_EQ(ratio["epochs"].size(), n);
    ASSERT_EQ(ratio["differing"].size(), n * n);
    for (size_t i = 0; i < n * n; ++i)
      EXPECT_DOUBLE_EQ(ratio["differing"][i].get<double>() / static_cast<double>(masks.bits), distances[i]);
    EXPECT_EQ(ratio["emerged_epoch"], summary["eb"]["epochs"][name]);
    if (ratio["emerged_index"].is_null())
      EXPECT_TRUE(ratio["emerged_epoch"].is_null());
    else
      EXPECT_EQ(ratio["epochs"][ratio["emerged_index"].get<size_t>()], ratio["emerged_epoch"]);
    size_t points = 0;
    for (size_t i = 0; i < n; ++i) {
      EXPECT_EQ(ratio["epochs"][i], lines[i]["epoch"]);
      if (lines[i]["eb/distance_" + name].is_null()) continue;
      EXPECT_EQ(ratio["window_distance"][points]["epoch"], lines[i]["epoch"]);
      EXPECT_EQ(ratio["window_distance"][points++]["distance"], lines[i]["eb/distance_" + name]);
    }
    EXPECT_EQ(ratio["window_distance"].size(), points);
    EXPECT_EQ(ratio["kept"], lines[n - 1]["eb/kept_" + name]);
  }
}

// VGG has no additions: each layer stands alone, in the order of the mask's bits.
void check_layers(const json& run, const fs::path& directory) {
  const auto ticket =
      eb::engine::read_safetensors(directory / run["early_bird"]["draw"]["file"].get<std::string>());
  const auto masks = eb::pruning::read_mask_history(directory / "masks/p50.bits");
  size_t bit = 0;
  int held = 0;
  ASSERT_EQ(run["layers"].size(), ticket.tensors.size());
  for (const json& layer : run["layers"]) {
    const auto& mask = ticket.tensors.at(layer["id"]);
    int64_t kept = 0, ranked = 0;
    for (int64_t c = 0; c < mask.size(); ++c, ++bit) {
      kept += mask.data<uint8_t>()[c];
      ranked += masks.masks.back()[bit / 64] >> (bit % 64) & 1;
    }
    EXPECT_EQ(layer["total"], mask.size());
    EXPECT_EQ(layer["kept"], kept) << layer["id"];
    EXPECT_EQ(layer["held_up"], kept > ranked) << layer["id"];
    EXPECT_TRUE(layer["group"].is_null());
    held += kept > ranked;
  }
  EXPECT_GT(held, 0) << "the test would not see a layer that is held up";
}

}  // namespace

TEST(Report, every_field_is_that_of_the_runs_own_files) {
  const TempDir dir;
  const std::string config =
      tiny_config(dir, R"({"early_bird": {"min_channels": 3, "round_to": 2}, "seed": 7})");
  train(config, dir / "run");
  const fs::path directory = dir / "run";
  const json report = report_of({dir / "run"}), summary = read_json(directory / "summary.json");
  EXPECT_EQ(report["eb_report"], 1);
  EXPECT_TRUE(report["comparison"].is_null());
  ASSERT_EQ(report["runs"].size(), 1u);
  const json& run = report["runs"][0];
  EXPECT_EQ(run["path"], dir / "run");
  EXPECT_EQ(run["name"], "tiny");
  EXPECT_EQ(run["seed"], 7);
  EXPECT_EQ(run["eb_engine"], report["eb_engine"]);
  EXPECT_EQ(run["state"], "finished");
  EXPECT_EQ(run["exit_code"], 0);
  EXPECT_EQ(run["epochs_done"], 8);
  EXPECT_EQ(run["epochs_planned"], 8);
  EXPECT_EQ(run["damaged_lines"], 0);
  EXPECT_EQ(run["command_lines"].size(), 1u);
  EXPECT_EQ(run["command_lines"][0].get<std::string>() + "\n", slurp(directory / "argv.txt"));
  EXPECT_EQ(run["speedup"], summary["speedup"]);
  EXPECT_GE(run["speedup"]["pairs"], 3);
  EXPECT_LE(run["speedup"]["least"], run["speedup"]["measured"]);
  EXPECT_GE(run["speedup"]["most"], run["speedup"]["measured"]);
  EXPECT_EQ(run["equivalence"], summary["equivalence"]);
  EXPECT_TRUE(warns(run, "best was picked on the test set"));
  EXPECT_TRUE(warns(run, "projected") || warns(run, "the machine was busy"));
  check_networks(run, summary);
  check_phases(run, summary);
  check_epochs(run, directory);
  check_search(run, directory, summary);
  check_layers(run, directory);
  // The report that the run itself left says the same.
  json own = read_json(directory / "report/report.json");
  own["generated"] = report["generated"];
  EXPECT_EQ(own, report);
  EXPECT_FALSE(slurp(directory / "report/report.html").empty());
}

TEST(Report, config_changes_and_environment) {
  const TempDir dir;
  make_run(dir / "run", R"({"seed": 3, "train": {"label_smoothing": 0.0}, "of_tomorrow": {"a": 1}})");
  spit(dir / "run/env.json",
       R"({"cpu": "a cpu", "versions": {"eb_engine": "9.9", "devices": ["cpu", "cuda"]}})");
  const json run = report_of({dir / "run"})["runs"][0];
  std::map<std::string, json> changes, environment;
  for (const json& c : run["config_changes"]) changes[c["key"]] = c;
  for (const json& e : run["environment"]) environment[e["key"]] = e["value"];
  EXPECT_EQ(changes["seed"], (json{{"key", "seed"}, {"value", 3}, {"default", 1}}));
  EXPECT_EQ(changes["early_bird.threshold"]["value"], 0.4);
  EXPECT_FALSE(changes.count("train.label_smoothing")) << "it is the default";
  EXPECT_FALSE(changes.count("early_bird.l1")) << "it was not given";
  EXPECT_EQ(changes.count("of_tomorrow.a"), 0u);
  EXPECT_EQ(environment["cpu"], "a cpu");
  EXPECT_EQ(environment["versions.devices"], "cpu, cuda");
  EXPECT_TRUE(warns(run, "written by eb_engine 9.9"));
}

TEST(Report, best_is_picked_on_the_hold_out_if_there_is_one) {
  const TempDir dir;
  make_run(dir / "run");
  spit(dir / "run/summary.json", R"({"phases": [{"name": "dense"}]})");
  const double holdout[] = {0.5, 0.9, 0.9, 0.7}, test[] = {0.8, 0.6, 0.7, 0.75};
  std::string lines;
  for (int i = 0; i < 4; ++i)
    lines += json({{"split", "epoch"},
                   {"epoch", i + 1},
                   {"step", 3 * (i + 1)},
                   {"phase", "dense"},
                   {"holdout/top1", holdout[i]},
                   {"test/top1", test[i]}})
                 .dump() +
             "\n";
  spit(dir / "run/metrics.jsonl", lines);
  const json run = report_of({dir / "run"})["runs"][0];
  const json& row = run["networks"][0];
  EXPECT_EQ(row["best_epoch"], 2);
  EXPECT_EQ(row["top1_best"], 0.6) << "the test accuracy there";
  EXPECT_EQ(row["top1_last"], 0.75);
  EXPECT_EQ(row["best_rule"], "on the hold-out");
  EXPECT_FALSE(warns(run, "test set"));
}

TEST(Report, channels_tied_by_additions_are_one_group) {
  const TempDir dir;
  const std::string config = tiny_config(dir, R"({"model": {"arch": "resnet", "depth": 18},
      "train": {"duration": "2ep"}, "early_bird": {"deadline": "1ep"}})");
  train(config, dir / "run", {"--until", "compact"});
  const json run = report_of({dir / "run"})["runs"][0];
  std::map<std::string, json> layers;
  for (const json& layer : run["layers"]) layers[layer["id"]] = layer;
  ASSERT_EQ(layers.size(), 20u);
  EXPECT_FALSE(layers["layer1.0.bn2"]["group"].is_null());
  EXPECT_EQ(layers["layer1.0.bn2"]["group"], layers["layer1.1.bn2"]["group"]);
  EXPECT_EQ(layers["layer1.0.bn2"]["kept"], layers["layer1.1.bn2"]["kept"]);
  EXPECT_NE(layers["layer1.0.bn2"]["group"], layers["layer2.0.bn2"]["group"]);
  EXPECT_TRUE(layers["layer1.0.bn1"]["group"].is_null());
  EXPECT_TRUE(warns(run, "deadline"));
}

TEST(Report, a_runs_cost_survives_stopping) {
  const TempDir dir;
  const std::string config = tiny_config(dir);
  train(config, dir / "run", {"--max-steps", "14"});
  const json before = report_of({dir / "run"})["runs"][0];
  EXPECT_EQ(before["state"], "stopped");
  EXPECT_EQ(before["exit_code"], 75);
  EXPECT_EQ(before["epochs_done"], 4);
  EXPECT_TRUE(fs::exists(fs::path(dir / "run") / "report/report.html"));
  ASSERT_FALSE(before["phases"].empty());
  train(config, dir / "run");
  const json after = report_of({dir / "run"})["runs"][0];
  EXPECT_EQ(after["state"], "finished");
  EXPECT_EQ(after["command_lines"].size(), 2u);
  int64_t steps_before = 0, steps_after = 0;
  for (const json& phase : before["phases"]) steps_before += phase["steps"].get<int64_t>();
  for (const json& phase : after["phases"]) steps_after += phase["steps"].get<int64_t>();
  EXPECT_EQ(steps_before, 14);
  EXPECT_EQ(steps_after, 24);
  for (const char* key : {"forward", "backward", "optimizer", "checkpoint", "early_bird"}) {
    const json &then = before["phases"][0]["seconds"][key], &now = after["phases"][0]["seconds"][key];
    EXPECT_GE(now.is_number() ? now : json(0), then.is_number() ? then : json(0)) << key;
  }
}

TEST(Report, a_phase_of_an_old_checkpoint_has_no_parts) {
  const json old = {{"name", "search"},     {"params", 10},         {"flops_per_image", 20},
                    {"start_step", 0},      {"steps", 5},           {"samples", 320},
                    {"train_seconds", 1.5}, {"eval_seconds", 0.25}, {"data_wait_seconds", 0.5},
                    {"joules", nullptr}};
  const eb::engine::PhaseRecord phase = eb::engine::phase_from_json(old);
  EXPECT_FALSE(phase.seconds);
  const json now = to_json(phase);
  EXPECT_TRUE(now["seconds"].is_null()) << "those of its end alone would look like all";
  EXPECT_TRUE(now["peak_memory_bytes"].is_null());
  EXPECT_TRUE(now["macs_per_image"].is_null());
  EXPECT_TRUE(now["energy_method"].is_null());
  EXPECT_EQ(now["samples"], 320);
  EXPECT_EQ(to_json(eb::engine::phase_from_json(now)), now);
}
