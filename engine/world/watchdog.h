// Ends a run in which a rank makes no progress, and names it: a rank that hangs leaves all others waiting
// inside a collective call, and nothing else would ever end that. Every rank's watchdog tells the first one's
// once a second what the rank does; the first one's looks for who is behind, writes crash/ranks.json, and
// ends its process with code 9, upon which the launcher ends the others. A rank that hears nothing from the
// first one ends by itself.
#pragma once
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>
#include <vector>

#include "kernels/mpi/mpi_calls.h"

namespace eb::engine {

// Where a rank is. Counters only grow; a rank waits for others while entered > left.
struct RankProgress {
  uint64_t entered = 0, left = 0;  // collective calls
  uint64_t alive = 0;              // signs of life between them
  char phase[24] = "start";
  char call[24] = "";
  int32_t pid = 0;
  char host[64] = "";
  bool operator==(const RankProgress&) const = default;
};

// Who is to blame among ranks none of which moved: those whose message is older than `silent_s`, else those
// that have entered the fewest calls, unless they all wait in the same one. Empty: nobody is behind the
// others.
std::vector<int> who_is_behind(const std::vector<RankProgress>& ranks, const std::vector<double>& silent_for,
                               double silent_s);

class Watchdog {
 public:
  struct Options {
    double timeout_s = 60;
    double slow_factor = 10;  // of the timeout, in phases that take long
  };
  Watchdog(const kernels::MpiCalls& mpi, int rank, int size, const Options& options);
  ~Watchdog();

  void set_timeout(double seconds) { timeout_s_ = seconds; }
  void enter(const char* call);
  void leave();
  void alive();
  void phase(const char* name);
  void set_crash_directory(const std::filesystem::path& path);

 private:
  void run();
  void look();
  void tell();
  void listen();
  double limit() const;
  [[noreturn]] void end(const std::vector<int>& behind, double seconds);
  [[noreturn]] void end_without_first(double seconds);

  const kernels::MpiCalls& mpi_;
  const int rank_, size_;
  const Options options_;
  std::atomic<double> timeout_s_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  RankProgress own_;
  std::filesystem::path crash_;
  std::vector<RankProgress> ranks_;    // as last heard; of the first rank
  std::vector<double> heard_, moved_;  // when
  double first_heard_ = 0;             // by the others: when the first rank was
  std::thread thread_;
};

}  // namespace eb::engine
