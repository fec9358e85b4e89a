#include "tools/tensorboard/writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <charconv>
#include <ctime>

#include "engine/base/error.h"
#include "tools/tensorboard/event.h"
#include "tools/tensorboard/record.h"

namespace eb::tools::tensorboard {

namespace fs = std::filesystem;

static constexpr std::string_view prefix = "events.out.tfevents.";

EventWriter::EventWriter(fs::path directory, int64_t first_step, size_t capacity)
    : directory_(std::move(directory)),
      first_step_(first_step),
      capacity_(capacity),
      thread_([this](const std::stop_token& stop) { work(stop); }) {}

void EventWriter::add(Make make) {
  {
    const std::lock_guard lock(mutex_);
    if (!closed_ && queue_.size() < capacity_) {
      queue_.push_back(std::move(make));
      queued_.notify_one();
      return;
    }
  }
  drop("the disk is slower than the training");
}

void EventWriter::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

int64_t EventWriter::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

std::string EventWriter::take_warning() {
  const std::lock_guard lock(mutex_);
  return std::exchange(warning_, {});
}

void EventWriter::drop(const std::string& why) {
  const std::lock_guard lock(mutex_);
  ++dropped_;
  if (!std::exchange(warned_, true))
    warning_ = fmt::format("warning: an event for TensorBoard was not written, training goes on: {}", why);
}

// --- the thread ---

void EventWriter::work(const std::stop_token& stop) {
  for (;;) {
    Make next;
    {
      std::unique_lock lock(mutex_);
      if (!queued_.wait(lock, stop, [this] { return !queue_.empty(); })) return;
      next = std::move(queue_.front());
      queue_.pop_front();
    }
    write(next);
  }
}

void EventWriter::write(const Make& make) {
  try {
    const std::string event = make();
    if (event.empty()) return;
    if (file_.descriptor() == -1) open();
    append(event);
  } catch (const std::exception& e) {
    drop(e.what());
  }
}

// TensorBoard reads the files of a folder in the order of their names: ours comes after all there are, also
// when two starts lie in one second or the clock was set back.
static int64_t time_for_name(const fs::path& directory) {
  int64_t time = std::time(nullptr);
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    int64_t other = 0;
    if (!name.starts_with(prefix)) continue;
    std::from_chars(name.data() + prefix.size(), name.data() + name.size(), other);
    if (other >= time && other < time + 1'000'000'000) time = other + 1;
  }
  return time;
}

void EventWriter::open() {
  engine::make_directories(directory_);
  struct utsname machine {};
  ::uname(&machine);
  const std::string name =
      fmt::format("{}{:010}.{}.{}", prefix, time_for_name(directory_), machine.nodename, ::getpid());
  engine::File file(directory_ / name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND);
  file_ = std::move(file);
}

void EventWriter::append(const std::string& event) {
  cut_torn_record();
  std::string bytes;
  if (size_ == 0)
    bytes = record(file_version_event()) + record(restart_event({first_step_, now(0).wall_time}));
  bytes += record(event);
  torn_ = true;
  file_.write(bytes);
  torn_ = false;
  size_ += static_cast<int64_t>(bytes.size());
}

// After a write that failed: what comes next must begin where the last whole record ends.
void EventWriter::cut_torn_record() {
  if (!torn_) return;
  file_.truncate(size_);
  torn_ = false;
}

}  // namespace eb::tools::tensorboard
