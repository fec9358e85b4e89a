// `eb_engine compare` and the controls it is made of: the plan, what each variant draws, and that an
// interrupted comparison goes on.
#include "tools/compare/plan.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/checkpoint/safetensors.h"
#include "engine/graph/graph.h"
#include "support/error_code.h"
#include "support/run_engine.h"

using namespace eb::test;
using namespace eb::tools;
using nlohmann::json;

static const char* short_run =
    R"({"train": {"duration": "4ep"}, "early_bird": {"window": 2, "threshold": 1, "deadline": null}})";

static std::string ticket_bytes(const std::filesystem::path& run) {
  return slurp(run / json::parse(slurp(run / "summary.json"))["eb"]["draw"]["file"].get<std::string>());
}

static std::map<std::string, int64_t> widths(const std::filesystem::path& run) {
  const std::string bytes = ticket_bytes(run);
  std::map<std::string, int64_t> kept;
  for (const auto& [name, mask] : eb::engine::parse_safetensors(bytes.data(), bytes.size(), "ticket").tensors)
    for (int64_t i = 0; i < mask.size(); ++i) kept[name] += mask.data<uint8_t>()[i];
  return kept;
}

TEST(ComparePlan, has_a_run_for_each_variant_ratio_epoch_and_seed) {
  const auto runs = planned_runs({{"dense", "eb", "early"}, {0.3, 0.5}, {2, 6}, 2, 5, "8ep", {0.3, 0.5}});
  ASSERT_EQ(runs.size(), 2u * (1 + 2 + 2 * 2));
  std::set<std::string> names, rows;
  for (const PlannedRun& r : runs) names.insert(r.name), rows.insert(r.row);
  EXPECT_EQ(names.size(), runs.size());
  EXPECT_EQ(rows, (std::set<std::string>{"dense", "eb p=0.3", "eb p=0.5", "drawn at epoch 2 p=0.3",
                                         "drawn at epoch 2 p=0.5", "drawn at epoch 6 p=0.3",
                                         "drawn at epoch 6 p=0.5"}));
  EXPECT_EQ(runs[0].seed, 5);
  EXPECT_EQ(runs[7].seed, 6) << "whole seeds one after the other";
  EXPECT_EQ(runs[1].sets, (std::vector<std::string>{"early_bird.draw=0.3", "seed=5"}));
  EXPECT_EQ(planned_runs({{"ns"}, {0.5}, {}, 1, 1, "8ep"})[0].sets[0], "early_bird.draw_at=8ep");
  EXPECT_EQ(planned_runs({{"eb"}, {0.4, 0.2}, {}, 1, 1, "8ep", {0.3}})[0].sets,
            (std::vector<std::string>{"early_bird.draw=0.4", "early_bird.watch=[0.2,0.3,0.4]", "seed=1"}))
      << "every run of a seed watches all ratios";
}

TEST(ComparePlan, faults) {
  EXPECT_EQ(code_of([] { planned_runs({{"slim"}, {0.5}, {}, 1, 1, "8ep"}); }), 2080);
  EXPECT_EQ(code_of([] { planned_runs({{"early"}, {0.5}, {}, 1, 1, "8ep"}); }), 2081);
  EXPECT_EQ(code_of([] { planned_runs({{"eb"}, {0.5}, {2}, 1, 1, "8ep"}); }), 2081);
  for (const double ratio : {0.0, 1.0, 1.5, -0.5, std::nan("")})
    EXPECT_EQ(code_of([&] { planned_runs({{"eb"}, {ratio}, {}, 1, 1, "8ep"}); }), 2030) << ratio;
  EXPECT_EQ(code_of([] { planned_runs({{"eb"}, {0.5, 0.500000001}, {}, 1, 1, "8ep"}); }), 2082);
}

TEST(ComparePlan, what_is_asked_for_twice_is_planned_once) {
  EXPECT_EQ(planned_runs({{"eb", "eb"}, {0.5, 0.5}, {}, 1, 1, "8ep"}).size(), 1u);
  EXPECT_EQ(planned_runs({{"early"}, {0.5, 0.501}, {2, 2}, 1, 1, "8ep"}).size(), 2u);
}

TEST(ComparePlan, a_name_tells_its_run) {
  const ComparePlan plan{{"dense", "eb", "random-global", "early"}, {0.3, 0.125}, {12}, 2, 1, "8ep", {0.3}};
  for (const PlannedRun& run : planned_runs(plan)) {
    const auto found = planned_run(plan, run.name);
    ASSERT_TRUE(found) << run.name;
    EXPECT_EQ(found->row, run.row);
    EXPECT_EQ(found->seed, run.seed);
    EXPECT_EQ(found->sets, run.sets) << run.name;
  }
  for (const char* name :
       {"", "eb", "eb-seed1", "dense-p30-seed1", "eb-p30-seed", "eb-p30-seed1x", "eb-p030-seed1",
        "search-seed1", "early-p30-seed1", "slim-p30-seed1", "report.html"})
    EXPECT_FALSE(planned_run(plan, name)) << name;
}

TEST(Compare, runs_every_variant_once_and_skips_what_is_done) {
  const TempDir dir;
  const std::string config = tiny_config(dir, short_run);
  const std::vector<std::string> command = {
      "compare",       config,
      "--out",         dir / "c",
      "--ratios",      "0.5",
      "--threads",     "1",
      "--variants",    "dense,eb,reinit,random,random-global,ns,rewind,early",
      "--draw-epochs", "3"};
  const Outcome o = run_engine(command);
  ASSERT_EQ(o.exit_code, 0) << o.err;
  const auto summary = [&](const std::string& name) {
    return json::parse(slurp(dir / ("c/" + name + "/summary.json")));
  };
  const auto draw = [&](const std::string& name) { return summary(name)["eb"]["draw"]; };
  EXPECT_TRUE(summary("dense-seed1").value("ticket", json()).is_null());
  EXPECT_EQ(draw("eb-p50-seed1")["epoch"], 2);
  EXPECT_EQ(draw("eb-p50-seed1")["found_by"], "detector");
  EXPECT_EQ(draw("early-ep3-p50-seed1")["epoch"], 3);
  EXPECT_EQ(draw("early-ep3-p50-seed1")["found_by"], "draw_at");
  for (const char* name : {"ns-p50-seed1", "rewind-p50-seed1"}) {
    EXPECT_EQ(draw(name)["epoch"], 4) << name;
    EXPECT_EQ(summary(name)["phases"][1]["steps"], 4 * 3)
        << name << " trains the ticket as long as the network";
  }
  EXPECT_EQ(summary("reinit-p50-seed1")["phases"][1]["steps"], 4 * 3);
  EXPECT_EQ(summary("eb-p50-seed1")["phases"][1]["steps"], 2 * 3);
  // Controls: the same counts with other channels, and as many channels in other counts.
  const auto run = [&](const std::string& name) { return dir.path() / "c" / name; };
  EXPECT_EQ(widths(run("random-p50-seed1")), widths(run("eb-p50-seed1")));
  EXPECT_NE(ticket_bytes(run("random-p50-seed1")), ticket_bytes(run("eb-p50-seed1")));
  EXPECT_NE(widths(run("random-global-p50-seed1")), widths(run("eb-p50-seed1")));

  // One report over all of them, a row for each.
  const json report = json::parse(slurp(dir / "c/report.json"));
  EXPECT_TRUE(std::filesystem::exists(dir.path() / "c/report.html"));
  std::set<std::string> rows;
  for (const json& row : report["comparison"]["rows"]) rows.insert(row["label"]);
  EXPECT_EQ(rows,
            (std::set<std::string>{"dense", "eb p=0.5", "reinit p=0.5", "random p=0.5", "random-global p=0.5",
                                   "ns p=0.5", "rewind p=0.5", "drawn at epoch 3 p=0.5"}));

  // One table, of the same rows.
  for (const std::string& row : rows) EXPECT_NE(o.out.find("\n" + row + " "), std::string::npos) << o.out;

  std::vector<std::string> quiet = command;
  quiet.insert(quiet.end(), {"-q", "--json"});
  const Outcome printed = run_engine(quiet);
  EXPECT_EQ(json::parse(printed.out), report["comparison"]);

  const Outcome again = run_engine(command);
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_EQ(again.err.find("[1/"), std::string::npos) << again.err;
}

// Bytes of the weights that a run ended with.
static std::map<std::string, std::string> last_weights(const std::filesystem::path& run) {
  const std::string latest = json::parse(slurp(run / "ckpt/latest.json"))["path"];
  std::map<std::string, std::string> bytes;
  for (const auto& [name, t] :
       eb::engine::read_safetensors(run / "ckpt" / latest / "model.safetensors").tensors)
    bytes[name] = std::string(static_cast<const char*>(t.raw()), static_cast<size_t>(t.bytes()));
  return bytes;
}

TEST(Compare, a_shared_search_changes_no_bit_of_any_run) {
  const TempDir dir;
  const std::string config = tiny_config(dir, short_run);
  const auto command = [&](const char* out, std::vector<std::string> more) {
    std::vector<std::string> c = {
        "compare",       config,      "--out", dir / out,    "--ratios",
        "0.2,0.5",       "--threads", "1",     "--variants", "eb,reinit,random,ns,rewind,early",
        "--draw-epochs", "3"};
    c.insert(c.end(), more.begin(), more.end());
    return c;
  };
  const Outcome shared = run_engine(command("shared", {}));
  ASSERT_EQ(shared.exit_code, 0) << shared.err;
  const Outcome alone = run_engine(command("alone", {"--search-alone"}));
  ASSERT_EQ(alone.exit_code, 0) << alone.err;
  EXPECT_EQ(alone.err.find("shared"), std::string::npos);
  int forked = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path() / "alone")) {
    if (!entry.is_directory()) continue;
    const auto twin = dir.path() / "shared" / entry.path().filename();
    EXPECT_EQ(last_weights(twin), last_weights(entry.path())) << twin;
    EXPECT_EQ(ticket_bytes(twin), ticket_bytes(entry.path())) << twin;
    for (const char* mask : {"masks/p20.bits", "masks/p50.bits"})
      EXPECT_EQ(slurp(twin / mask), slurp(entry.path() / mask)) << twin;
    // The same epochs with the same numbers, those of the search included.
    const json a = json::parse(slurp(twin / "report/report.json"))["runs"][0],
               b = json::parse(slurp(entry.path() / "report/report.json"))["runs"][0];
    ASSERT_EQ(a["epochs"].size(), b["epochs"].size()) << twin;
    for (size_t i = 0; i < a["epochs"].size(); ++i)
      EXPECT_EQ(a["epochs"][i]["test_loss"], b["epochs"][i]["test_loss"]) << twin << " epoch " << i + 1;
    EXPECT_EQ(a["networks"].back()["training_flops"], b["networks"].back()["training_flops"]) << twin;
    ++forked;
  }
  EXPECT_EQ(forked, 12);
  EXPECT_NE(shared.err.find("begins from the shared search at epoch 3"), std::string::npos) << shared.err;
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "shared/search-seed1")) << "removed when no run needs it";
}

TEST(Compare, a_longer_search_of_other_variants_serves_too) {
  const TempDir dir;
  const auto command = [&, config = tiny_config(dir, short_run)](const char* variants) {
    return run_engine({"compare", config, "--out", dir / "c", "--ratios", "0.2,0.5", "--threads", "1",
                       "--variants", variants});
  };
  // Interrupted while the search is there: as if the last run had not been carried out.
  ASSERT_EQ(command("ns").exit_code, 0);
  ASSERT_FALSE(std::filesystem::exists(dir.path() / "c/search-seed1"));
  ASSERT_EQ(run_engine({"train", dir / "c/ns-p20-seed1/config.resolved.json", "--set", "name=search-seed1",
                        "--set", "early_bird.draw=0.5", "--set", "checkpoint.every=1ep", "--set",
                        "checkpoint.milestones=1ep", "--until", "search", "--threads", "1", "--out",
                        dir / "c/search-seed1"})
                .exit_code,
            0);
  const Outcome o = command("eb");
  ASSERT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(o.err.find("that the runs with seed"), std::string::npos) << "it searched anew: " << o.err;
  EXPECT_NE(o.err.find("begins from the shared search at epoch 1"), std::string::npos) << o.err;
}

TEST(Compare, a_damaged_shared_search_costs_time_and_nothing_else) {
  const TempDir dir;
  const std::string config = tiny_config(dir, short_run);
  std::vector<std::string> command = {"compare", config,       "--out", dir / "c",   "--ratios",
                                      "0.5",     "--variants", "ns,eb", "--threads", "1"};
  ASSERT_EQ(run_engine({"train",     config,
                        "--set",     "early_bird.draw_at=4ep",
                        "--set",     "early_bird.deadline=null",
                        "--set",     "early_bird.after.schedule=restart",
                        "--set",     "checkpoint.every=1ep",
                        "--set",     "checkpoint.milestones=1ep",
                        "--set",     "seed=1",
                        "--until",   "search",
                        "--threads", "1",
                        "--out",     dir / "c/search-seed1"})
                .exit_code,
            0);
  for (const auto& step : std::filesystem::directory_iterator(dir.path() / "c/search-seed1/ckpt"))
    if (step.is_directory()) std::filesystem::resize_file(step.path() / "model.safetensors", 100);
  const Outcome o = run_engine(command);
  ASSERT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(o.err.find("begins from the shared search"), std::string::npos) << o.err;
  EXPECT_TRUE(std::filesystem::exists(dir.path() / "c/ns-p50-seed1/summary.json"));
}

TEST(Compare, goes_on_where_it_was_stopped) {
  const TempDir dir;
  const std::string config = tiny_config(dir, short_run);
  const std::vector<std::string> command = {"compare",  config, "--out",      dir / "c",
                                            "--ratios", "0.5",  "--variants", "dense,eb",
                                            "--seeds",  "2",    "--threads",  "1"};
  RunOptions stop;
  stop.signal = SIGTERM;
  stop.signal_after_ms = 400;
  const Outcome first = run_engine(command, stop);
  ASSERT_EQ(first.exit_code, 75) << first.err;
  const Outcome second = run_engine(command);
  ASSERT_EQ(second.exit_code, 0) << second.err;
  for (const char* name : {"dense-seed1", "eb-p50-seed1", "dense-seed2", "eb-p50-seed2"})
    EXPECT_TRUE(std::filesystem::exists(dir.path() / "c" / name / "summary.json")) << name;
}

TEST(Compare, another_experiment_in_the_same_directory_is_refused) {
  const TempDir dir;
  const std::string config = tiny_config(dir, short_run);
  std::vector<std::string> command = {"compare", config,      "--out", dir / "c", "--variants",
                                      "dense",   "--threads", "1",     "--set",   "train.duration=1ep"};
  ASSERT_EQ(run_engine(command).exit_code, 0);
  command.insert(command.end(), {"--set", "train.optimizer.lr=0.01"});
  const Outcome other = run_engine(command);
  EXPECT_EQ(other.exit_code, 4) << other.err;
  EXPECT_NE(other.err.find("train.optimizer.lr"), std::string::npos) << other.err;
}

// One more row must not cost the report the rows of earlier calls.
TEST(Compare, the_report_has_the_runs_of_earlier_calls) {
  const TempDir dir;
  const std::string config = tiny_config(dir, short_run);
  const auto command = [&](const std::string& variants, const std::string& lr) {
    return std::vector<std::string>{"compare",    config,
                                    "--out",      dir / "c",
                                    "--ratios",   "0.5",
                                    "--variants", variants,
                                    "--set",      "train.duration=1ep",
                                    "--set",      "train.optimizer.lr=" + lr,
                                    "--threads",  "1"};
  };
  const auto labels = [&] {
    std::vector<std::string> found;
    const json report = json::parse(slurp(dir / "c/report.json"));
    for (const json& row : report["comparison"]["rows"]) found.push_back(row["label"]);
    return found;
  };
  ASSERT_EQ(run_engine(command("dense,random", "0.05")).exit_code, 0);
  ASSERT_EQ(run_engine(command("eb", "0.05")).exit_code, 0);
  EXPECT_EQ(labels(), (std::vector<std::string>{"eb p=0.5", "dense", "random p=0.5"}));
  // Not those of another experiment.
  std::filesystem::remove_all(dir / "c/random-p50-seed1");
  ASSERT_EQ(run_engine(command("random", "0.01")).exit_code, 0);
  EXPECT_EQ(json::parse(slurp(dir / "c/report.json"))["runs"].size(), 1u);
}

TEST(Compare, a_run_that_fails_does_not_stop_the_others) {
  const TempDir dir;
  const std::string config = tiny_config(dir, short_run);
  const Outcome o =
      run_engine({"compare", config, "--out", dir / "c", "--ratios", "0.5", "--variants", "eb,dense", "--set",
                  "early_bird.threshold=0", "--set", "early_bird.on_not_found=fail", "--set",
                  "train.optimizer.lr=0.5", "--threads", "1"});
  EXPECT_EQ(o.exit_code, 10) << o.err;
  EXPECT_NE(o.err.find("eb-p50-seed1 ended with exit code 10; the others go on"), std::string::npos) << o.err;
  EXPECT_TRUE(std::filesystem::exists(dir / "c/dense-seed1/summary.json"));
  const json report = json::parse(slurp(dir / "c/report.json"));
  ASSERT_EQ(report["runs"].size(), 2u);
  EXPECT_EQ(report["comparison"]["rows"][0]["top1"], nullptr) << "it did not finish";
  EXPECT_TRUE(report["comparison"]["rows"][1]["top1"].is_object());
}

TEST(Compare, places_that_cannot_hold_runs) {
  const TempDir dir;
  const std::string config = tiny_config(dir, short_run);
  spit(dir / "file", "x");
  const Outcome below_file = run_engine({"compare", config, "--out", dir / "file/c", "--variants", "dense"});
  EXPECT_EQ(below_file.exit_code, 8) << below_file.err;
  EXPECT_NE(below_file.err.find("EB8001"), std::string::npos) << below_file.err;
  ASSERT_EQ(run_engine({"train", config, "--out", dir / "run", "-q", "--max-steps", "1"}).exit_code, 75);
  const Outcome in_run = run_engine({"compare", config, "--out", dir / "run", "--variants", "dense"});
  EXPECT_EQ(in_run.exit_code, 2) << in_run.err;
  EXPECT_NE(in_run.err.find("EB2024"), std::string::npos) << in_run.err;
}

TEST(Compare, a_typo_is_found_before_the_first_run) {
  const TempDir dir;
  const Outcome o = run_engine({"compare", tiny_config(dir, short_run), "--out", dir / "c", "--variants",
                                "dense,eb", "--ratios", "0.5,1.5"});
  EXPECT_EQ(o.exit_code, 2) << o.err;
  EXPECT_NE(o.err.find("--ratios 1.5"), std::string::npos) << o.err;
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "c"));
}
