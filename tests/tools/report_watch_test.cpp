// What `report` and `watch` must say alike: what a run is, whether it goes on, which lines of metrics.jsonl
// are sound.
#include <optional>

#include "engine/base/error.h"
#include "support/error_code.h"
#include "support/held_lock.h"
#include "support/report_run.h"
#include "tools/record/run_files.h"
#include "tools/report/gather/run_state.h"
#include "tools/watch/run_view.h"

using namespace eb::test;
using namespace eb::tools;
using nlohmann::json;
namespace fs = std::filesystem;

TEST(ReportWatch, both_refuse_what_is_no_run_with_one_code) {
  const TempDir dir;
  fs::create_directories(dir / "empty");
  spit(dir / "file", "");
  for (const char* name : {"empty", "absent", "file"}) {
    EXPECT_EQ(code_of([&] { read_run(dir / name); }), 4070) << name;
    EXPECT_EQ(code_of([&] { RunReader reader(dir / name); }), 4070) << name;
    const Outcome watched = run_engine({"watch", dir / name});
    const Outcome reported = run_engine({"report", dir / name, "--json"});
    EXPECT_EQ(watched.exit_code, 4);
    EXPECT_EQ(watched.err, reported.err);
  }
}

TEST(ReportWatch, each_file_that_a_training_begins_with_makes_a_run) {
  for (const char* file : {"run.lock", "config.resolved.json", "metrics.jsonl"}) {
    const TempDir dir;
    spit(dir / file, "");
    EXPECT_EQ(state_of(read_run(dir.path())).name, RunState::Name::unknown) << file;
    EXPECT_EQ(RunReader(dir.path()).read().state.name, RunState::Name::unknown) << file;
    EXPECT_EQ(run_engine({"report", dir.path(), "--json"}).exit_code, 0) << file;
    EXPECT_EQ(run_engine({"watch", dir.path()}).exit_code, 0) << file;
  }
}

// --- whether it goes on ---

struct Look {
  bool locked;
  const char *status, *summary;  // null: no such file
  const char* state;
};

static const char* const says_running = R"({"exit_code": null, "pid": 1, "phase": "search"})";

static const Look looks[] = {
    {true, nullptr, nullptr, "running"},
    {true, says_running, nullptr, "running"},
    {true, R"({"exit_code": 75, "pid": 1})", nullptr, "running"},  // of the process before
    {true, R"({"exit_code": 0, "pid": 1})", "{}", "running"},
    {false, says_running, nullptr, "failed"},
    {false, says_running, "{}", "failed"},
    {false, R"({"exit_code": 0, "pid": 1})", "{}", "finished"},
    {false, R"({"exit_code": 75, "pid": 1})", nullptr, "stopped"},
    {false, R"({"exit_code": 7, "pid": 1})", nullptr, "failed"},
    {false, R"({"exit_code": "0"})", nullptr, "failed"},
    {false, "[0]", nullptr, "unknown"},
    {false, nullptr, nullptr, "unknown"},
    {false, nullptr, "{", "unknown"},
    {false, nullptr, "{}", "finished"}};

TEST(ReportWatch, the_lock_decides_whether_a_run_goes_on) {
  for (const Look& look : looks) {
    const TempDir dir;
    std::optional<HeldLock> lock(dir / "run.lock");
    if (!look.locked) lock.reset();
    if (look.status) spit(dir / "status.json", look.status);
    if (look.summary) spit(dir / "summary.json", look.summary);
    const std::string what = std::string(look.locked ? "locked " : "free ") +
                             (look.status ? look.status : "no status") + (look.summary ? look.summary : "");
    EXPECT_EQ(eb::engine::name_of(state_of(read_run(dir.path())).name), look.state) << what;
    RunReader reader(dir.path());
    EXPECT_EQ(eb::engine::name_of(reader.read().state.name), look.state) << what;
    EXPECT_EQ(reader.read().ended(), !look.locked) << what;
  }
}

// --- lines of metrics.jsonl ---

static json sound_line() {
  return {{"split", "epoch"}, {"epoch", 1},         {"step", 3},           {"phase", "search"},
          {"test/top1", 0.5}, {"train/loss", 2.25}, {"eb/distance_p50", 1}};
}

// What each of them makes of a file of this one line.
static void expect_read(const std::string& line, bool sound) {
  const TempDir dir;
  spit(dir / "metrics.jsonl", line + "\n");
  const RunFiles reported = read_run(dir.path());
  RunReader reader(dir.path());
  const RunView& watched = reader.read();
  EXPECT_EQ(reported.damaged_lines, sound ? 0 : 1) << line;
  EXPECT_EQ(watched.damaged, sound ? 0 : 1) << line;
  EXPECT_EQ(watched.epochs.size() + watched.batches.size(), sound ? 1u : 0u) << line;
  EXPECT_EQ(reported.epochs, watched.epochs) << line;
}

static void expect_with(const std::string& key, const json& value, bool sound) {
  json line = sound_line();
  line[key] = value;
  expect_read(line.dump(), sound);
}

TEST(ReportWatch, lines_of_a_wrong_shape_are_damaged_for_both) {
  expect_read(sound_line().dump(), true);
  for (const char* key : {"split", "epoch", "step", "phase"}) {
    json line = sound_line();
    line.erase(key);
    expect_read(line.dump(), false);
  }
  for (const char* key : {"epoch", "step"})
    for (const json& value : {json(-1), json(4'000'000'000'000'000'000), json(UINT64_MAX), json(4e18),
                              json(2.5), json("1"), json(), json(true), json::array({1})})
      expect_with(key, value, false);
  expect_with("epoch", 0, false);  // one that ends is the first at least
  for (const json& phase : {json("of_tomorrow"), json(""), json(7), json()})
    expect_with("phase", phase, false);
  for (const json& split : {json("test"), json(7), json()}) expect_with("split", split, false);
  for (const char* key : {"test/top1", "train/loss", "perf/seconds", "eb/distance_p30"})
    for (const json& value : {json("high"), json(true), json::object(), json::array()})
      expect_with(key, value, false);
  expect_read("[1, 2]", false);
  expect_read(R"({"split": "epoch", "epo)", false);
}

TEST(ReportWatch, lines_of_every_version_are_sound) {
  for (const char* phase : {"dense", "search", "retrain"}) expect_with("phase", phase, true);
  for (const char* key : {"test/top1", "train/loss", "eb/distance_p50"}) expect_with(key, nullptr, true);
  for (const json& value : {json("text"), json::array({1}), json::object(), json()})
    expect_with("new/thing", value, true);
  expect_with("q8/saturated", {{"conv1", 0.5}}, true);
  json within = {{"split", "train"}, {"epoch", 0}, {"step", 1}, {"phase", "dense"}, {"train/batch_loss", 2}};
  expect_read(within.dump(), true);
  within["step"] = -1;
  expect_read(within.dump(), false);
}

TEST(ReportWatch, nothing_that_a_training_writes_is_damaged) {
  const TempDir dir;
  train(tiny_config(dir, R"({"log": {"every": 1}})"), dir / "search");
  train(tiny_config(dir, R"({"log": {"every": 1}, "train": {"duration": "2ep"}, "data": {"holdout": 64},
                             "precision": {"preset": "swalp8"}, "swa": {"enabled": true, "start": "1ep", "evaluate": "epoch"},
                             "early_bird": {"enabled": false}})"),
        dir / "dense");
  for (const char* name : {"search", "dense"}) {
    RunReader reader(dir / name);
    const RunView& view = reader.read();
    EXPECT_EQ(view.damaged, 0) << name;
    EXPECT_FALSE(view.batches.empty());
    EXPECT_EQ(view.ending(), "finished");
    const RunFiles reported = read_run(dir / name);
    EXPECT_EQ(reported.damaged_lines, 0) << name;
    json written = json::array();
    for (const eb::engine::EpochRecord& epoch : reported.epochs) written.push_back(to_json(epoch));
    EXPECT_EQ(written.dump(), epoch_lines(dir / name).dump()) << "nothing is lost on the way";
  }
}
