#include "engine/base/fault.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <map>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"

namespace eb::engine {

namespace fault {

constexpr int kill_process = -2;

struct Fault {
  bool armed = false, onwards = false;
  Call call = Call::write;
  int result = 0;
  int64_t n = 0;
};

struct RankFault {
  std::string action, place;
  int64_t rank = -1;
};

static Fault current;
static RankFault current_of_rank;
static std::atomic<int64_t> calls_seen{0};

int inject(Call call) {
  if (!current.armed || call != current.call) return 0;
  const int64_t seen = ++calls_seen;
  if (seen < current.n || (seen > current.n && !current.onwards)) return 0;
  if (current.result == kill_process) ::kill(::getpid(), SIGKILL);
  return current.result;
}

static const std::map<std::string, int> actions = {
    {"kill", kill_process}, {"enospc", ENOSPC}, {"eio", EIO}, {"enosys", ENOSYS}, {"short", short_write}};
static const std::map<std::string, Call> calls = {{"create", Call::create},
                                                  {"write", Call::write},
                                                  {"fsync", Call::fsync},
                                                  {"rename", Call::rename},
                                                  {"remove", Call::remove}};

bool of_rank(const std::string& action, const std::string& place, int rank) {
  RankFault& f = current_of_rank;
  if (f.rank != rank || f.action != action || f.place != place) return false;
  f = {};
  return true;
}

// "hang@exchange:1"
static bool parse(const std::string& spec, RankFault& f) {
  const size_t at = spec.find('@'), colon = spec.find(':');
  if (at == std::string::npos || colon == std::string::npos || colon < at) return false;
  f.action = spec.substr(0, at), f.place = spec.substr(at + 1, colon - at - 1);
  const char* end = spec.data() + spec.size();
  const auto [stop, error] = std::from_chars(spec.data() + colon + 1, end, f.rank);
  return (f.action == "hang" || f.action == "flip") && error == std::errc{} && stop == end && f.rank >= 0;
}

// "enospc@write:2+": false if it does not read like that.
static bool parse(const std::string& spec, Fault& f) {
  const size_t at = spec.find('@'), colon = spec.find(':');
  if (at == std::string::npos || colon == std::string::npos || colon < at) return false;
  const auto action = actions.find(spec.substr(0, at));
  const auto call = calls.find(spec.substr(at + 1, colon - at - 1));
  if (action == actions.end() || call == calls.end()) return false;
  const char* end = spec.data() + spec.size();
  f.onwards = spec.back() == '+';
  if (f.onwards) --end;
  const auto [stop, error] = std::from_chars(spec.data() + colon + 1, end, f.n);
  f.armed = true, f.result = action->second, f.call = call->second;
  return error == std::errc{} && stop == end && f.n >= 1;
}

}  // namespace fault

void set_fault(const std::string& spec) {
  fault::Fault f;
  fault::RankFault of_rank;
  if (!spec.empty() && !fault::parse(spec, f) && !fault::parse(spec, of_rank))
    throw Error(errors::bad_fault, "not a fault: \"" + spec + "\"",
                "ACTION@CALL:N, for example kill@rename:3");
  fault::current = f;
  fault::current_of_rank = of_rank;
  fault::calls_seen = 0;
}

void set_fault_from_environment() {
  if (const char* spec = std::getenv("EB_FAULT")) set_fault(spec);
}

}  // namespace eb::engine
