// Event files, read back by a reader of our own: framing, what happens on a full disk, with a slow one and on
// resume. tests/python/tensorboard_test.py shows the files of a run to the real TensorBoard.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ctime>
#include <future>
#include <numeric>

#include "support/run_engine.h"
#include "tools/tensorboard/event.h"
#include "tools/tensorboard/event.pb.h"
#include "tools/tensorboard/record.h"
#include "tools/tensorboard/tensorboard.h"
#include "tools/tensorboard/writer.h"

using namespace eb::test;
using namespace eb::tools::tensorboard;
using eb::tensorboard::Event;
namespace fs = std::filesystem;

static std::vector<fs::path> event_files(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

template <class T>
static T number_at(const std::string& bytes, size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// All of a file, whose last record must be whole.
static std::vector<Event> events(const fs::path& file) {
  const std::string bytes = slurp(file);
  std::vector<Event> list;
  for (size_t at = 0; at < bytes.size();) {
    if (at + 12 > bytes.size()) throw std::runtime_error("a torn header");
    const auto size = number_at<uint64_t>(bytes, at);
    if (number_at<uint32_t>(bytes, at + 8) != masked_crc32c(bytes.substr(at, 8)))
      throw std::runtime_error("CRC of a length");
    if (at + 16 + size > bytes.size()) throw std::runtime_error("a torn record");
    const std::string data = bytes.substr(at + 12, size);
    if (number_at<uint32_t>(bytes, at + 12 + size) != masked_crc32c(data))
      throw std::runtime_error("CRC of a record");
    Event event;
    if (!event.ParseFromString(data)) throw std::runtime_error("not an event");
    list.push_back(event);
    at += 16 + size;
  }
  return list;
}

// Returns when everything added before is written or dropped.
static void settle(EventWriter& writer) {
  std::promise<void> reached;
  writer.add([&] { return reached.set_value(), std::string(); });
  reached.get_future().wait();
}

static EventWriter::Make loss_at(int64_t step) {
  return [step] { return scalar_event(now(step), {{"train/loss", 0.5}}); };
}

TEST(TensorBoard, crc_of_the_check_string) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(masked_crc32c("123456789"), 0xC78AB0E5u);
  EXPECT_EQ(crc32c(""), 0u);
}

TEST(TensorBoard, a_record_has_its_length_and_both_checksums) {
  const std::string r = record("abc");
  ASSERT_EQ(r.size(), 8u + 4 + 3 + 4);
  EXPECT_EQ(number_at<uint64_t>(r, 0), 3u);
  EXPECT_EQ(number_at<uint32_t>(r, 8), masked_crc32c(r.substr(0, 8)));
  EXPECT_EQ(r.substr(12, 3), "abc");
  EXPECT_EQ(number_at<uint32_t>(r, 15), masked_crc32c("abc"));
}

TEST(TensorBoard, a_file_begins_with_its_version_and_a_restart) {
  const TempDir dir;
  EventWriter writer(dir / "tb", 10);
  writer.add(loss_at(12));
  writer.close();
  EXPECT_EQ(writer.dropped(), 0);
  const auto files = event_files(dir / "tb");
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].filename().string().rfind("events.out.tfevents.", 0), 0u);
  const auto list = events(files[0]);
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].file_version(), "brain.Event:2");
  EXPECT_EQ(list[1].session_log().status(), eb::tensorboard::SessionLog::START);
  EXPECT_EQ(list[1].step(), 10);
  EXPECT_EQ(list[2].step(), 12);
  EXPECT_EQ(list[2].summary().value(0).tag(), "train/loss");
  EXPECT_FLOAT_EQ(list[2].summary().value(0).simple_value(), 0.5f);
  EXPECT_GT(list[2].wall_time(), 1.6e9);
}

// Two starts in one second, or a clock that was set back.
TEST(TensorBoard, a_later_file_has_a_later_name) {
  const TempDir dir;
  fs::create_directory(dir / "tb");
  const std::string ahead = std::to_string(std::time(nullptr) + 5000);
  spit(dir / ("tb/events.out.tfevents." + ahead + ".host.99"), "");
  for (int i = 0; i < 3; ++i) EventWriter(dir / "tb", 1).add(loss_at(i));
  const auto files = event_files(dir / "tb");
  ASSERT_EQ(files.size(), 4u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(events(files[static_cast<size_t>(i) + 1]).back().step(), i);
}

TEST(TensorBoard, on_a_full_disk_events_are_dropped_and_counted_with_one_warning) {
  const TempDir dir;
  EventWriter writer(dir / "tb", 1);
  writer.add(loss_at(1));
  settle(writer);
  eb::engine::set_fault("enospc@write:1+");
  for (int i = 2; i < 7; ++i) writer.add(loss_at(i));
  settle(writer);
  eb::engine::set_fault("");
  EXPECT_EQ(writer.dropped(), 5);
  EXPECT_NE(writer.take_warning().find("tfevents"), std::string::npos);
  writer.add(loss_at(7));  // someone has freed space
  writer.close();
  EXPECT_EQ(writer.take_warning(), "") << "once";
  EXPECT_EQ(writer.dropped(), 5);
  const auto list = events(event_files(dir / "tb")[0]);
  ASSERT_EQ(list.size(), 4u);
  EXPECT_EQ(list[2].step(), 1);
  EXPECT_EQ(list[3].step(), 7);
}

TEST(TensorBoard, a_record_the_disk_took_half_of_is_cut_off) {
  const TempDir dir;
  EventWriter writer(dir / "tb", 1);
  writer.add(loss_at(1));
  settle(writer);
  const fs::path file = event_files(dir / "tb")[0];
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{fs::file_size(file) + 20, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &tight);
  writer.add(loss_at(2));
  settle(writer);
  const auto torn_size = fs::file_size(file);
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  EXPECT_EQ(torn_size, tight.rlim_cur) << "the test needs a torn record";
  writer.add(loss_at(3));
  writer.close();
  EXPECT_EQ(writer.dropped(), 1);
  const auto list = events(file);
  ASSERT_EQ(list.size(), 4u);
  EXPECT_EQ(list[3].step(), 3);
}

TEST(TensorBoard, a_slow_disk_fills_the_queue_and_nobody_waits) {
  const TempDir dir;
  EventWriter writer(dir / "tb", 1, 4);
  std::promise<void> started, released;
  writer.add([&] {
    started.set_value();
    released.get_future().wait();
    return std::string();
  });
  started.get_future().wait();
  for (int i = 1; i <= 10; ++i) writer.add(loss_at(i));
  EXPECT_EQ(writer.dropped(), 6);
  EXPECT_NE(writer.take_warning(), "");
  released.set_value();
  writer.close();
  EXPECT_EQ(events(event_files(dir / "tb")[0]).size(), 2u + 4);
}

TEST(TensorBoard, tags_are_those_people_look_for) {
  EXPECT_EQ(tag_of("test/top5"), "val/top5");
  EXPECT_EQ(tag_of("perf/data_wait_seconds"), "perf/data_wait");
  EXPECT_EQ(tag_of("train/loss"), "train/loss");
  EXPECT_EQ(tag_of("eb/kept_p50"), "eb/kept_p50");
}

struct Messages : eb::engine::SessionObserver {
  std::vector<std::string> texts;
  void on_message(const std::string& text) override { texts.push_back(text); }
};

TEST(TensorBoard, null_and_repeated_values_are_left_out) {
  const TempDir dir;
  Messages messages;
  TensorBoard board(dir.path(), messages);
  board.begin(0);
  eb::engine::EpochRecord epoch;
  epoch.epoch = 1, epoch.step = 3;
  epoch.lr = 0.1, epoch.test_top1 = 0.25;
  board.on_batch({.epoch = 0, .step = 3, .loss = {}, .lr = 0.1});
  board.on_epoch(epoch);
  EXPECT_EQ(board.finish(), 0);
  const auto list = events(event_files(dir / "tb")[0]);
  ASSERT_EQ(list.size(), 4u);
  ASSERT_EQ(list[3].summary().value_size(), 1);
  EXPECT_EQ(list[3].summary().value(0).tag(), "val/top1");
}

TEST(TensorBoard, histograms_count_every_finite_value) {
  const auto parsed = [](std::vector<float> values) {
    Event e;
    e.ParseFromString(histogram_event(now(1), {{"bn_gamma/feature.1", std::move(values)}}));
    return e.summary().value(0).histo();
  };
  const auto h = parsed({-1.f, 0.f, 0.5f, 2.f, NAN});
  EXPECT_EQ(h.num(), 4);
  EXPECT_EQ(h.min(), -1);
  EXPECT_EQ(h.max(), 2);
  EXPECT_DOUBLE_EQ(h.sum(), 1.5);
  EXPECT_DOUBLE_EQ(h.sum_squares(), 5.25);
  EXPECT_EQ(std::accumulate(h.bucket().begin(), h.bucket().end(), 0.0), 4);
  EXPECT_TRUE(std::is_sorted(h.bucket_limit().begin(), h.bucket_limit().end()));
  EXPECT_EQ(h.bucket_limit(h.bucket_limit_size() - 1), 2);
  EXPECT_EQ(parsed({0.5f, 0.5f}).bucket_size(), 1);
  EXPECT_EQ(parsed({}).num(), 0);
}

TEST(TensorBoard, a_run_that_cannot_write_events_trains_to_its_end_with_one_warning) {
  const TempDir dir;
  fs::create_directory(dir / "run");
  spit(dir / "run/run.lock", "");
  spit(dir / "run/tb", "in the way");
  const Outcome o = run_engine({"train", tiny_config(dir), "--out", dir / "run", "--threads", "1"});
  EXPECT_EQ(o.exit_code, 0) << o.err;
  const std::string warning = "an event for TensorBoard was not written";
  const size_t first = o.err.find(warning);
  ASSERT_NE(first, std::string::npos) << o.err;
  EXPECT_EQ(o.err.find(warning, first + 1), std::string::npos) << o.err;
  EXPECT_NE(o.err.find("events were not written"), std::string::npos) << o.err;
}

TEST(TensorBoard, log_tensorboard_false_writes_none) {
  const TempDir dir;
  const Outcome o = run_engine({"train", tiny_config(dir), "--out", dir / "run", "-q", "--set",
                                "log.tensorboard=false", "--max-steps", "4", "--threads", "1"});
  EXPECT_EQ(o.exit_code, 75) << o.err;
  EXPECT_FALSE(fs::exists(dir / "run/tb"));
}
