// Reports of runs that are damaged, unfinished, killed, of another version or oddly named, and of places that
// cannot be written.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <random>

#include "support/paths.h"
#include "support/report_run.h"

using namespace eb::test;
using nlohmann::json;
namespace fs = std::filesystem;

static std::string epoch_line(int epoch, const std::string& phase, double top1) {
  return json({{"split", "epoch"},
               {"epoch", epoch},
               {"step", 3 * epoch},
               {"phase", phase},
               {"test/top1", top1}})
             .dump() +
         "\n";
}

TEST(ReportFaults, damaged_lines_are_left_out_and_counted) {
  const TempDir dir;
  make_run(dir / "run");
  spit(dir / "run/metrics.jsonl", epoch_line(1, "dense", 0.5) + "{\"epoch\": 2, \"spl\n" + "[1, 2]\n" +
                                      epoch_line(3, "dense", 0.25) +
                                      "{\"split\":\"epoch\",\"epoch\":\"four\"}\n" + "{\"split\": \"epoch\"");
  const json run = report_of({dir / "run"})["runs"][0];
  EXPECT_EQ(run["damaged_lines"], 4);
  ASSERT_EQ(run["epochs"].size(), 2u);
  EXPECT_EQ(run["epochs"][1]["epoch"], 3);
  EXPECT_EQ(run["epochs"][1]["test_top1"], 0.25);
  EXPECT_TRUE(run["epochs"][1]["train_loss"].is_null()) << "not there is not 0";
  EXPECT_TRUE(warns(run, "4 damaged lines"));
}

TEST(ReportFaults, a_run_without_epochs) {
  const TempDir dir;
  make_run(dir / "run");
  fs::remove(fs::path(dir / "run") / "status.json");
  const json run = report_of({dir / "run"})["runs"][0];
  EXPECT_EQ(run["state"], "unknown");
  EXPECT_EQ(run["epochs_done"], 0);
  EXPECT_EQ(run["epochs_planned"], 8);
  EXPECT_TRUE(run["epochs"].empty() && run["phases"].empty() && run["layers"].empty());
  ASSERT_EQ(run["networks"].size(), 1u);
  EXPECT_GT(run["networks"][0]["params"], 0) << "the network that was asked for";
  EXPECT_TRUE(run["networks"][0]["top1_last"].is_null() && run["networks"][0]["seconds"].is_null());
  for (const json& ratio : run["early_bird"]["ratios"]) {
    EXPECT_TRUE(ratio["epochs"].empty() && ratio["differing"].empty() && ratio["kept"].is_null());
    EXPECT_TRUE(ratio["bits"].is_null());
  }
}

TEST(ReportFaults, a_run_that_was_killed_and_one_that_goes_on) {
  const TempDir dir;
  const std::string config = tiny_config(
      dir, R"({"train": {"duration": "5000ep"}, "checkpoint": {"every": "1000ep", "keep_best": 0}})");
  RunOptions options;
  options.env = {"EB_FAULT=kill@rename:30"};
  run_engine({"train", config, "--out", dir / "run", "-q", "--threads", "1"}, options);
  const json run = report_of({dir / "run"})["runs"][0];
  ASSERT_FALSE(run["epochs"].empty());
  EXPECT_EQ(run["state"], "failed");
  EXPECT_TRUE(run["exit_code"].is_null());
  EXPECT_TRUE(warns(run, "killed"));
  // The last checkpoint is that of the draw, but the phases up to the last epoch or the one before are there.
  int64_t steps = 0;
  for (const json& phase : run["phases"]) steps += phase["steps"].get<int64_t>();
  const json lines = epoch_lines(dir / "run");
  EXPECT_GE(steps, lines.back()["step"].get<int64_t>() - 3);
  EXPECT_GT(lines.size(), 12u);
  EXPECT_GT(run["phases"][0]["seconds"]["forward"], 0);
  EXPECT_EQ(run["phases"][0]["precision"], "f32");
  EXPECT_EQ(run["networks"][0]["params"], run["phases"][0]["params"]);
  // Somebody holds the lock: the run goes on.
  const fs::path lock = fs::path(dir / "run") / "run.lock";
  const std::string hold = "flock " + lock.string() + " " + eb::test::binary_dir().string() +
                           "/eb_engine report " + (dir / "run") + " --json > " + (dir / "held.json");
  ASSERT_EQ(std::system(hold.c_str()), 0);
  EXPECT_EQ(read_json(dir / "held.json")["runs"][0]["state"], "running");
}

TEST(ReportFaults, a_run_that_failed_says_with_which_code) {
  const TempDir dir;
  const std::string config =
      tiny_config(dir, R"({"early_bird": {"threshold": 1e-6, "deadline": "2ep", "on_not_found": "fail"}})");
  const Outcome o = run_engine({"train", config, "--out", dir / "run", "-q", "--threads", "1"});
  EXPECT_EQ(o.exit_code, 10) << o.err;
  const json run = report_of({dir / "run"})["runs"][0];
  EXPECT_EQ(run["state"], "failed");
  EXPECT_EQ(run["exit_code"], 10);
}

TEST(ReportFaults, another_versions_run_and_odd_values) {
  const TempDir dir;
  make_run(dir / "run", R"({"train": {"optimizer": {"kind": "of_tomorrow"}}, "tomorrow": 1})");
  spit(dir / "run/summary.json", R"({"phases": [1, {"name": 5, "steps": "many", "seconds": 3}], "steps": 9,
                                     "dense": [], "eb": {"draw": "yes"}, "speedup": {"counted": "2"}})");
  spit(dir / "run/metrics.jsonl", R"({"split":"epoch","epoch":1,"step":3,"phase":7,"test/top1":"high"})"
                                  "\n"
                                  R"({"split":"epoch","epoch":2,"step":6,"phase":"dense","new/thing":[1]})"
                                  "\n");
  const json run = report_of({dir / "run"})["runs"][0];
  EXPECT_TRUE(warns(run, "does not understand"));
  EXPECT_TRUE(run["speedup"]["counted"].is_null());
  EXPECT_EQ(run["damaged_lines"], 1);
  ASSERT_EQ(run["epochs"].size(), 1u);
  EXPECT_TRUE(run["epochs"][0]["test_top1"].is_null());
  ASSERT_EQ(run["phases"].size(), 1u);
  EXPECT_TRUE(run["phases"][0]["name"].is_null() && run["phases"][0]["steps"].is_null());
  EXPECT_TRUE(run["phases"][0]["seconds"]["forward"].is_null());
  spit(dir / "run/summary.json", "{");
  spit(dir / "run/config.resolved.json", "nothing");
  spit(dir / "run/masks", "a file, not a directory");
  const json worse = report_of({dir / "run"})["runs"][0];
  EXPECT_TRUE(warns(worse, "config.resolved.json") && warns(worse, "summary.json"));
  EXPECT_TRUE(worse["seed"].is_null() && worse["epochs_planned"].is_null());
}

TEST(ReportFaults, names_of_any_length_and_character) {
  const TempDir dir;
  const std::string name = "\"><img src=x onerror=alert(1)>\x01\x1b[31m\n" + std::string(10'000, 'n');
  make_run(dir / "run", json({{"name", name}}).dump());
  spit(dir / "run/argv.txt", "eb_engine train '\xff\xfe'\n");
  const Outcome o = run_engine({"report", dir / "run", "-o", dir / "page.html", "--assets", dir / "assets"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  const json run = read_json(dir / "page.json")["runs"][0];
  EXPECT_EQ(run["name"], name);
  EXPECT_NE(run["command_lines"][0].get<std::string>().find("\xef\xbf\xbd"), std::string::npos);
  EXPECT_EQ(slurp(dir / "page.html").find("<img src=x"), std::string::npos);
}

static void write_masks(const fs::path& file, int64_t bits, int records, std::mt19937_64& random) {
  fs::create_directories(file.parent_path());
  std::string bytes = "EBMASKS1";
  bytes.append(reinterpret_cast<const char*>(&bits), 8);
  std::vector<uint64_t> mask(static_cast<size_t>((bits + 63) / 64));
  for (uint64_t& word : mask) word = random();
  mask.back() &= bits % 64 ? (uint64_t{1} << bits % 64) - 1 : ~uint64_t{0};
  for (int i = 0; i < records; ++i) {
    mask[static_cast<size_t>(i) % (mask.size() - 1)] ^= random();
    bytes.append(reinterpret_cast<const char*>(mask.data()), 8 * mask.size());
  }
  spit(file, bytes);
}

TEST(ReportFaults, one_changed_bit_changes_the_distances_of_its_mask) {
  const TempDir dir;
  make_run(dir / "run");
  std::mt19937_64 random(1);
  const fs::path file = fs::path(dir / "run") / "masks/p50.bits";
  write_masks(file, 300, 6, random);
  const json before = report_of({dir / "run"})["runs"][0]["early_bird"]["ratios"][1];
  ASSERT_EQ(before["name"], "p50");
  std::string bytes = slurp(file);
  bytes[16 + 2 * 40 + 5] ^= 4;  // one bit of the third mask; a record has 5 words
  spit(file, bytes);
  const json after = report_of({dir / "run"})["runs"][0]["early_bird"]["ratios"][1];
  for (size_t i = 0; i < 6; ++i)
    for (size_t j = 0; j < 6; ++j) {
      const int64_t change =
          after["differing"][6 * i + j].get<int64_t>() - before["differing"][6 * i + j].get<int64_t>();
      EXPECT_EQ(std::abs(change), (i == 2) != (j == 2) ? 1 : 0) << i << " " << j;
    }
}

TEST(ReportFaults, exit_codes_and_files_that_stay) {
  const TempDir dir;
  make_run(dir / "run");
  EXPECT_EQ(run_engine({"report", dir / "nothing", "-o", dir / "page.html"}).exit_code, 4);
  fs::create_directories(dir / "empty");
  const Outcome no_run = run_engine({"report", dir / "run", dir / "empty", "-o", dir / "page.html"});
  EXPECT_EQ(no_run.exit_code, 4);
  EXPECT_NE(no_run.err.find("EB4070"), std::string::npos) << no_run.err;
  EXPECT_NE(no_run.err.find("empty"), std::string::npos) << no_run.err;
  EXPECT_FALSE(fs::exists(dir / "page.html"));
  EXPECT_EQ(run_engine({"report", dir / "run"}).exit_code, 2);
  EXPECT_EQ(run_engine({"report", dir / "run", "-o", dir / "page.json"}).exit_code, 2);
  EXPECT_EQ(run_engine({"report", dir / "run", "-o", dir / "no/such/page.html"}).exit_code, 8);
  EXPECT_EQ(run_engine({"report", dir / "run", "--assets", dir / "run/metrics.jsonl"}).exit_code, 8);
  // What could not be written whole leaves the one before, and nothing beside it.
  ASSERT_EQ(run_engine({"report", dir / "run", "-o", dir / "page.html"}).exit_code, 0);
  const std::string page = slurp(dir / "page.html"), numbers = slurp(dir / "page.json");
  for (const char* fault : {"enospc@write:1", "enospc@write:2", "eio@fsync:1", "eio@rename:1"}) {
    RunOptions options;
    options.env = {std::string("EB_FAULT=") + fault};
    const Outcome o = run_engine({"report", dir / "run", "-o", dir / "page.html"}, options);
    EXPECT_EQ(o.exit_code, 8) << fault << o.err;
    EXPECT_EQ(slurp(dir / "page.html").size(), page.size()) << fault;
    EXPECT_EQ(slurp(dir / "page.json").size(), numbers.size()) << fault;
  }
  int files = 0;
  for (const auto& entry : fs::directory_iterator(dir.path()))
    files += entry.path().filename().string().starts_with(".tmp-");
  EXPECT_EQ(files, 0);
}

TEST(ReportFaults, a_report_that_cannot_be_written_fails_no_run) {
  const TempDir dir;
  const std::string config =
      tiny_config(dir, R"({"train": {"duration": "2ep"}, "early_bird": {"deadline": null}})");
  train(config, dir / "run", {"--max-steps", "1", "--set", "log.report=off"});
  EXPECT_FALSE(fs::exists(dir / "run/report"));
  spit(dir / "run/report", "in the way");
  const Outcome o = run_engine({"train", config, "--out", dir / "run", "-q", "--threads", "1"});
  EXPECT_EQ(o.exit_code, 0) << o.err;
  const size_t first = o.err.find("warning: the report could not be written");
  EXPECT_NE(first, std::string::npos) << o.err;
  EXPECT_EQ(o.err.find("warning", first + 1), std::string::npos) << o.err;
  EXPECT_EQ(o.err.find("4052"), std::string::npos) << "log.report may change on resume";
}

// On the processor: other programs on the machine must not fail a test.
static double seconds_of_children() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

TEST(ReportFaults, a_long_run_takes_under_two_seconds) {
  const TempDir dir;
  make_run(dir / "run", R"({"model": {"depth": 16, "width": 1.0}, "train": {"duration": "160ep"},
                            "early_bird": {"watch": [0.3, 0.5, 0.7], "window": 5, "threshold": 0.1}})");
  std::mt19937_64 random(1);
  for (const char* name : {"p30", "p50", "p70"})
    write_masks(fs::path(dir / "run") / "masks" / (std::string(name) + ".bits"), 4224, 160, random);
  std::string lines;
  for (int epoch = 1; epoch <= 160; ++epoch) {
    for (int step = 0; step < 8; ++step)
      lines += R"({"split":"train","epoch":0,"step":1,"phase":"search","train/batch_loss":0.5})"
               "\n";
    lines += epoch_line(epoch, "search", 0.5 + 0.001 * epoch);
  }
  spit(dir / "run/metrics.jsonl", lines);
  const double before = seconds_of_children();
  const Outcome o = run_engine({"report", dir / "run", "-o", dir / "page.html"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  EXPECT_LT(seconds_of_children() - before, 2);
  const json eb = read_json(dir / "page.json")["runs"][0]["early_bird"];
  for (const json& ratio : eb["ratios"]) EXPECT_EQ(ratio["differing"].size(), 160u * 160u);
  EXPECT_LT(fs::file_size(dir / "page.json"), 2'000'000u);
}

TEST(ReportFaults, thousands_of_masks_are_thinned) {
  const TempDir dir;
  make_run(dir / "run", R"({"early_bird": {"every": "1st"}})");
  spit(dir / "run/metrics.jsonl", epoch_line(1, "search", 0.5));
  std::mt19937_64 random(1);
  write_masks(fs::path(dir / "run") / "masks/p50.bits", 300, 1500, random);
  const json run = report_of({dir / "run"})["runs"][0];
  const json& ratio = run["early_bird"]["ratios"][1];
  EXPECT_EQ(ratio["epochs"].size(), 375u);
  EXPECT_EQ(ratio["epochs"].back(), 500) << "3 steps an epoch, the last mask is shown";
  EXPECT_TRUE(warns(run, "of 1500 masks every 4. is shown"));
}
