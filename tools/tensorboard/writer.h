// Writes one event file from a thread of its own. Training hands over work and goes on: what does not fit
// into the queue, or onto the disk, is dropped and counted, and nothing here throws.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "engine/base/file.h"

namespace eb::tools::tensorboard {

class EventWriter {
 public:
  // Makes one serialized event, on the writer's thread; "" for none.
  using Make = std::function<std::string()>;

  // The file is events.out.tfevents.<time>.<host>.<pid> in `directory`, made with the first event, and begins
  // with the file version and a restart at `first_step`.
  EventWriter(std::filesystem::path directory, int64_t first_step, size_t capacity = 1024);
  ~EventWriter() { close(); }
  EventWriter(const EventWriter&) = delete;

  void add(Make make);
  void close();  // after writing what is queued; later events are dropped
  int64_t dropped() const;
  // What went wrong first, once; "" if nothing did or it was asked for already.
  std::string take_warning();

 private:
  void work(const std::stop_token& stop);
  void write(const Make& make);
  void open();
  void append(const std::string& event);
  void cut_torn_record();
  void drop(const std::string& why);

  const std::filesystem::path directory_;
  const int64_t first_step_;
  const size_t capacity_;

  mutable std::mutex mutex_;  // of what follows, up to the file
  std::condition_variable_any queued_;
  std::deque<Make> queue_;
  bool closed_ = false, warned_ = false;
  int64_t dropped_ = 0;
  std::string warning_;

  engine::File file_;  // these belong to the thread
  bool torn_ = false;  // behind size_ lies part of a record
  int64_t size_ = 0;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace eb::tools::tensorboard
