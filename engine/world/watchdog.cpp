#include "engine/world/watchdog.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/json.h"

namespace eb::engine {

using nlohmann::json;

template <size_t n>
static void copy_text(char (&to)[n], const char* from) {
  std::memset(to, 0, n);
  std::strncpy(to, from, n - 1);
}

std::vector<int> who_is_behind(const std::vector<RankProgress>& ranks, const std::vector<double>& silent_for,
                               double silent_s) {
  std::vector<int> behind;
  for (size_t r = 0; r < ranks.size(); ++r)
    if (silent_for[r] > silent_s) behind.push_back(static_cast<int>(r));
  if (!behind.empty()) return behind;
  const auto least = std::min_element(ranks.begin(), ranks.end(), [](const auto& a, const auto& b) {
    return std::pair(a.entered, a.left) < std::pair(b.entered, b.left);
  });
  const bool all_wait = std::all_of(ranks.begin(), ranks.end(), [&](const RankProgress& r) {
    return r.entered > r.left && r.entered == least->entered;
  });
  if (all_wait) return {};
  // Who left a call that others are still in is not behind: it waits for nobody, or in a later one.
  for (size_t r = 0; r < ranks.size(); ++r)
    if (ranks[r].entered == least->entered && ranks[r].entered == ranks[r].left)
      behind.push_back(static_cast<int>(r));
  if (!behind.empty()) return behind;
  // All are in a call, but not in the same one: the others have left that of the last.
  for (size_t r = 0; r < ranks.size(); ++r)
    if (ranks[r].entered == least->entered) behind.push_back(static_cast<int>(r));
  return behind;
}

Watchdog::Watchdog(const kernels::MpiCalls& mpi, int rank, int size, const Options& options)
    : mpi_(mpi), rank_(rank), size_(size), options_(options), timeout_s_(options.timeout_s) {
  struct utsname machine {};
  ::uname(&machine);
  copy_text(own_.host, machine.nodename);
  own_.pid = ::getpid();
  const double now = seconds_now();
  ranks_.resize(static_cast<size_t>(rank == 0 ? size : 0));
  heard_.assign(static_cast<size_t>(size), now);
  moved_ = heard_;
  first_heard_ = now;
  thread_ = std::thread([this] { run(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Watchdog::enter(const char* call) {
  const std::lock_guard lock(mutex_);
  ++own_.entered;
  copy_text(own_.call, call);
}

void Watchdog::leave() {
  const std::lock_guard lock(mutex_);
  ++own_.left;
}

void Watchdog::alive() {
  const std::lock_guard lock(mutex_);
  ++own_.alive;
}

void Watchdog::phase(const char* name) {
  const std::lock_guard lock(mutex_);
  ++own_.alive;
  copy_text(own_.phase, name);
}

void Watchdog::set_crash_directory(const std::filesystem::path& path) {
  const std::lock_guard lock(mutex_);
  crash_ = path;
}

void Watchdog::run() {
  std::unique_lock lock(mutex_);
  tell();  // so that a rank that stops at once has a host and a process in the message
  while (!wake_.wait_for(lock, std::chrono::seconds(1), [&] { return stop_; })) look();
}

void Watchdog::look() {
  tell();
  listen();
  const double now = seconds_now();
  if (rank_ != 0) {
    // Later than the first one, which knows more, and with the time that the launcher needs within five
    // seconds.
    if (now - first_heard_ > limit() + 2) end_without_first(now - first_heard_);
    return;
  }
  const double still = now - *std::max_element(moved_.begin(), moved_.end());
  const double silent = now - *std::min_element(heard_.begin(), heard_.end());
  if (still <= limit() && silent <= limit()) return;
  std::vector<double> silent_for;
  for (const double heard : heard_) silent_for.push_back(now - heard);
  end(who_is_behind(ranks_, silent_for, std::min(limit(), 5.)), std::max(still, silent));
}

double Watchdog::limit() const {
  const std::string phase = own_.phase;
  return timeout_s_ * (phase == "train" ? 1 : options_.slow_factor);
}

void Watchdog::tell() {
  if (rank_ != 0) return mpi_.send(0, &own_, sizeof own_);
  for (int r = 1; r < size_; ++r) mpi_.send(r, &own_, sizeof own_);
}

void Watchdog::listen() {
  const double now = seconds_now();
  RankProgress message;
  for (int from = 0; mpi_.receive(&message, sizeof message, &from);) {
    if (rank_ != 0) {
      first_heard_ = now;
      continue;
    }
    const auto r = static_cast<size_t>(from);
    heard_[r] = now;
    if (!(message == ranks_[r])) moved_[r] = now;
    ranks_[r] = message;
  }
  if (rank_ != 0) return;
  if (!(own_ == ranks_[0])) moved_[0] = now;
  heard_[0] = now;
  ranks_[0] = own_;
}

static std::string name_of(int rank, const RankProgress& p) {
  return "rank " + std::to_string(rank) + " (process " + std::to_string(p.pid) + " on " + p.host + ", in " +
         p.phase +
         (p.entered > p.left ? std::string(", waiting in call ") + std::to_string(p.entered) + ", " + p.call
                             : ", after call " + std::to_string(p.left)) +
         ")";
}

void Watchdog::end(const std::vector<int>& behind, double seconds) {
  std::string text = "error[EB9003]: no progress for " + std::to_string(static_cast<int>(seconds)) + " s: ";
  if (behind.empty()) text += "all ranks wait in the same call, so the network between them does not deliver";
  for (size_t i = 0; i < behind.size(); ++i)
    text += (i ? "; " : "") + name_of(behind[i], ranks_[static_cast<size_t>(behind[i])]);
  std::fprintf(stderr,
               "%s\n  hint: the last checkpoint is intact: the same command goes on from it; "
               "distributed.timeout_s is how long a rank may take\n",
               text.c_str());
  if (!crash_.empty()) {
    json ranks = json::array();
    const double now = seconds_now();
    for (size_t r = 0; r < ranks_.size(); ++r) {
      const RankProgress& p = ranks_[r];
      ranks.push_back({{"rank", r},
                       {"host", p.host},
                       {"pid", p.pid},
                       {"phase", p.phase},
                       {"call", p.call},
                       {"entered", p.entered},
                       {"left", p.left},
                       {"seconds_since_message", now - heard_[r]},
                       {"seconds_since_progress", now - moved_[r]}});
    }
    try {
      make_directories(crash_ / "crash");
      replace_file(crash_ / "crash/ranks.json",
                   dump_json(json{{"behind", behind}, {"ranks", ranks}}, 2) + "\n");
    } catch (const std::exception&) {  // the message is printed
    }
  }
  ::_exit(9);
}

void Watchdog::end_without_first(double seconds) {
  std::fprintf(stderr, "error[EB9003]: rank %d on %s has heard nothing from rank 0 for %d s\n", rank_,
               own_.host, static_cast<int>(seconds));
  ::_exit(9);
}

}  // namespace eb::engine
