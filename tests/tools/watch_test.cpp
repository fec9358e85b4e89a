// Text plots, what is read of a run, and what `watch` prints where there is no terminal.
// tests/python/watch_test.py holds it at the other end of a pseudo-terminal.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <sstream>
#include <thread>

#include "engine/base/error.h"
#include "support/held_lock.h"
#include "support/run_engine.h"
#include "tools/plot/text_plot.h"
#include "tools/watch/progress.h"
#include "tools/watch/run_view.h"
#include "tools/watch/watch_frame.h"

using namespace eb::test;
using namespace eb::tools;
using nlohmann::json;
namespace fs = std::filesystem;

static std::string without_color(const std::string& line) {
  std::string plain;
  for (size_t i = 0; i < line.size(); ++i)
    if (line[i] == '\x1b')
      i = line.find('m', i);
    else
      plain += line[i];
  return plain;
}

static int columns(const std::string& line) {
  int n = 0;
  for (const char c : without_color(line)) n += (c & 0xC0) != 0x80;
  return n;
}

static const Plot rising = {"loss", {{"train", {{0, 0.0}, {1, 1.0}}}}};

TEST(TextPlot, fills_its_rectangle_exactly) {
  Plot two = rising;
  two.curves.push_back({"test", {{0, 3.0}, {0.5, 2.0}, {1, 1.0}}});
  two.line = 0.5;
  two.marks = {0.5};
  for (const bool unicode : {false, true})
    for (const bool color : {false, true})
      for (const int width : {1, 19, 20, 47, 80})
        for (const int height : {0, 3, 4, 11}) {
          const auto lines = draw(two, {width, height, unicode, color});
          ASSERT_EQ(lines.size(), static_cast<size_t>(height));
          for (const auto& line : lines) EXPECT_EQ(columns(line), width) << line;
        }
}

TEST(TextPlot, a_rising_line_rises) {
  const auto lines = draw(rising, {30, 8, false, false});
  EXPECT_EQ(lines[0].substr(0, 15), "loss  *train 1 ");
  EXPECT_EQ(lines[1].substr(0, 10), "       1 |");
  EXPECT_EQ(lines[6].substr(0, 11), "       0 |*");
  EXPECT_EQ(lines[1].back(), '*');
  EXPECT_EQ(lines[6].back(), ' ');
  EXPECT_EQ(lines[7].substr(10, 1), "0");
  EXPECT_EQ(lines[7].back(), '1');
}

TEST(TextPlot, braille_dots_are_where_the_points_are) {
  const Plot plot = {"", {{"", {{0, 0.0}, {0.5, NAN}, {1, 1.0}}}}};  // two points, not joined
  const auto lines = draw(plot, {20, 6, true, false});
  EXPECT_NE(lines[4].find("│\u2840"), std::string::npos) << lines[4];  // the lowest dot on the left
  EXPECT_EQ(lines[1].substr(lines[1].size() - 3), "\u2808");           // the highest on the right
  EXPECT_EQ(columns(lines[1]), 20);
}

TEST(TextPlot, odd_numbers_do_no_harm) {
  for (const double v : {double{NAN}, double{INFINITY}, 1e308, -1e308, 0.0, 1e-320}) {
    const Plot plot = {"odd", {{"a", {{0, v}, {1, -v}, {2, 1e308}}}, {"none", {}}}, v, {v}, 0, 2};
    for (const bool unicode : {false, true}) EXPECT_EQ(draw(plot, {40, 9, unicode, false}).size(), 9u) << v;
  }
}

TEST(TextPlot, the_threshold_is_a_line_and_color_is_only_added) {
  Plot plot = rising;
  plot.line = 0.5;
  const auto plain = draw(plot, {40, 11, false, false}), colored = draw(plot, {40, 11, false, true});
  EXPECT_NE(plain[5].find("-----"), std::string::npos) << plain[5];
  for (size_t i = 0; i < plain.size(); ++i) {
    EXPECT_EQ(plain[i].find('\x1b'), std::string::npos);
    EXPECT_EQ(without_color(colored[i]), plain[i]);
  }
}

// --- a run ---

static json epoch_line_of(int epoch, const std::string& phase = "search") {
  return {{"split", "epoch"},
          {"epoch", epoch},
          {"step", 10 * epoch},
          {"phase", phase},
          {"train/loss", 2.0},
          {"test/loss", 2.1},
          {"train/top1", 0.5},
          {"test/top1", 0.4},
          {"perf/images_per_s", 1000.0},
          {"perf/seconds", 5.0},
          {"eb/distance_p50", epoch < 2 ? json() : json(0.5 / epoch)}};
}

struct FakeRun {
  TempDir dir;
  std::string metrics;
  HeldLock lock{dir / "run.lock"};

  FakeRun() {
    spit(dir / "config.resolved.json",
         R"({"name": "fa\u001bke", "train": {"duration": "10ep"}, "early_bird": {"threshold": 0.1}})");
    status(nullptr);
  }
  void add(const json& line) {  // whole at any instant, also after it became shorter
    spit(dir / "new", metrics += line.dump() + "\n");
    fs::rename(dir / "new", dir / "metrics.jsonl");
  }
  void status(const json& exit_code) const {  // of another process than this one
    spit(dir / "new",
         json{{"exit_code", exit_code}, {"pid", getppid()}, {"heartbeat", "2026-01-02T03:04:05Z"}}.dump());
    fs::rename(dir / "new", dir / "status.json");
  }
};

TEST(RunView, knows_where_a_run_is) {
  FakeRun run;
  for (int e = 1; e <= 3; ++e) run.add(epoch_line_of(e));
  run.add({{"split", "train"}, {"step", 35}, {"epoch", 3}, {"phase", "retrain"}, {"train/batch_loss", 1.5}});
  RunReader reader(run.dir.path());
  const RunView& view = reader.read();
  EXPECT_EQ(view.name, "fake");
  EXPECT_EQ(view.phase, "retrain");
  EXPECT_EQ(view.step, 35);
  EXPECT_EQ(view.end_step, 100);
  EXPECT_DOUBLE_EQ(view.seconds_left.value(), 65 * 0.5);
  EXPECT_DOUBLE_EQ(view.threshold.value(), 0.1);
  EXPECT_LT(view.silent_seconds.value(), 60) << "the metrics are newer than the heartbeat";
  EXPECT_FALSE(view.ended());
  run.status(75);
  EXPECT_FALSE(reader.read().ended()) << "that is of the process before";
  run.lock.release();
  EXPECT_EQ(reader.read().ending(), "stopped with a checkpoint; the same command goes on");
}

TEST(RunView, a_lock_that_nobody_holds_ends_the_run) {
  FakeRun run;
  RunReader reader(run.dir.path());
  EXPECT_EQ(reader.read().ending(), "running");
  run.lock.release();
  EXPECT_TRUE(reader.read().ended());
  EXPECT_EQ(reader.read().ending().rfind("interrupted", 0), 0u) << reader.read().ending();
  run.status(3);
  EXPECT_EQ(reader.read().ending(), "failed with exit code 3");
  fs::remove(run.dir / "status.json");
  EXPECT_EQ(reader.read().ending().rfind("not running", 0), 0u) << reader.read().ending();
}

TEST(RunView, the_end_is_known_though_the_first_line_is_damaged) {
  FakeRun run;
  run.metrics = "{\"split\": \"epoch\", \"epoch\": 1, \"st\n";
  for (int e = 2; e <= 3; ++e) run.add(epoch_line_of(e));
  RunReader reader(run.dir.path());
  EXPECT_EQ(reader.read().end_step, 100);
}

TEST(RunView, damaged_lines_are_skipped_and_counted_and_truncation_is_seen) {
  FakeRun run;
  run.metrics =
      "{\"split\": \"epoch\"\n[1]\n{\"split\": \"epoch\", \"epoch\": \"x\"}\n{\"split\": 7}\n\x01\n";
  run.add(epoch_line_of(1));
  RunReader reader(run.dir.path());
  EXPECT_EQ(reader.read().damaged, 5);
  EXPECT_EQ(reader.read().epochs.size(), 1u);
  run.metrics.clear();
  run.add(epoch_line_of(1));
  EXPECT_EQ(reader.read().damaged, 0);
}

TEST(WatchFrame, fits_any_terminal) {
  FakeRun run;
  RunReader reader(run.dir.path());
  for (int e = 0; e <= 4; e += 2) {
    if (e) run.add(epoch_line_of(e - 1)), run.add(epoch_line_of(e, e > 2 ? "retrain" : "search"));
    for (const int width : {0, 5, 30, 79, 120, 300})
      for (const int height : {0, 1, 4, 9, 24, 60}) {
        const auto lines = watch_frame(reader.read(), {width, height, true, true});
        EXPECT_LE(lines.size(), static_cast<size_t>(height));
        for (const auto& line : lines) EXPECT_LE(columns(line), width) << line;
      }
  }
}

TEST(WatchFrame, shows_every_curve_and_where_the_run_is) {
  FakeRun run;
  for (int e = 1; e <= 5; ++e) run.add(epoch_line_of(e));
  RunReader reader(run.dir.path());
  std::string text;
  for (const auto& line : watch_frame(reader.read(), {120, 30, false, false})) text += line + "\n";
  for (const char* words : {"fake  search  epoch 5  step 50/100", "ETA 25s; last sign of life",
                            "mask distance, threshold 0.1  *p50 0.1", "top-1 %", "loss", "images/s"})
    EXPECT_NE(text.find(words), std::string::npos) << words << "\n" << text;
}

// --- without a terminal ---

TEST(Progress, stays_in_its_row) {
  eb::engine::Progress p;
  p.status = "distance 0.123";
  p.end_step = 123456;
  const std::string whole = eb::tools::progress_line(p, 1000);
  EXPECT_NE(whole.find("ETA"), std::string::npos);
  for (const int columns : {200, 80, 40, 1, 0}) {
    const std::string line = eb::tools::progress_line(p, columns);
    EXPECT_LT(line.size(), static_cast<size_t>(std::max(1, columns)));
    EXPECT_TRUE(whole.starts_with(line));
  }
}

TEST(Progress, an_epochs_line_has_the_learning_rate) {
  eb::engine::EpochRecord e;
  EXPECT_EQ(eb::tools::epoch_line(e).find("lr"), std::string::npos) << "not measured";
  e.lr = 0.02;
  EXPECT_NE(eb::tools::epoch_line(e).find("  lr 0.02"), std::string::npos) << eb::tools::epoch_line(e);
}

TEST(Watch, prints_a_line_for_each_epoch_of_a_finished_run) {
  const TempDir dir;
  ASSERT_EQ(run_engine(
                {"train", tiny_config(dir), "--out", dir / "run", "-q", "--max-steps", "7", "--threads", "1"})
                .exit_code,
            75);
  const Outcome o = run_engine({"watch", dir / "run"});
  EXPECT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(o.out.rfind("epoch   1 search", 0), 0u) << o.out;
  EXPECT_NE(o.out.find("\nepoch   2 search"), std::string::npos) << o.out;
  EXPECT_EQ(o.out.find('\x1b'), std::string::npos);
  EXPECT_NE(o.out.find("\nstopped with a checkpoint"), std::string::npos) << o.out;
  EXPECT_EQ(run_engine({"watch", dir.path()}).exit_code, 4);
}

TEST(Watch, follows_a_run_until_it_ends) {
  FakeRun run;
  run.add(epoch_line_of(1));
  std::thread trainer([&] {
    const auto pause = [] { std::this_thread::sleep_for(std::chrono::milliseconds(400)); };
    pause();
    run.add(epoch_line_of(2));
    pause();
    run.metrics.clear();
    run.add(epoch_line_of(1));  // resumed from an earlier checkpoint
    pause();
    run.add(epoch_line_of(2, "retrain"));
    run.status(0);
    run.lock.release();
  });
  const Outcome o = run_engine({"watch", run.dir.path(), "--interval", "0.1"});
  trainer.join();
  EXPECT_EQ(o.exit_code, 0) << o.err;
  std::string starts;
  std::istringstream lines(o.out);
  for (std::string line; std::getline(lines, line);) starts += line.substr(0, 18) + "|";
  EXPECT_EQ(starts, "epoch   1 search  |epoch   2 search  |resumed after epoc|epoch   2 retrain |finished|");
}

TEST(Watch, once_prints_what_there_is_of_a_run_that_goes_on) {
  FakeRun run;
  const Outcome empty = run_engine({"watch", run.dir.path(), "--once"});
  EXPECT_EQ(empty.exit_code, 0) << empty.err;
  EXPECT_EQ(empty.out, "running\n");
  run.add(epoch_line_of(1));
  EXPECT_EQ(run_engine({"watch", run.dir.path(), "--once"}).out.rfind("epoch   1", 0), 0u);
}

TEST(Watch, says_that_a_run_was_interrupted) {
  FakeRun run;
  run.lock.release();
  const Outcome o = run_engine({"watch", run.dir.path()});
  EXPECT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(o.out.rfind("interrupted", 0), 0u) << o.out;
}

TEST(Watch, sigquit_ends_it_as_other_signals_do) {
  FakeRun run;
  RunOptions options;
  options.signal = SIGQUIT;
  options.signal_after_ms = 1000;
  EXPECT_EQ(run_engine({"watch", run.dir.path()}, options).exit_code, 0);
}
