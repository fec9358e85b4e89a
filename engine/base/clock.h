// The time: of a steady clock for durations, and of the calendar for people.
#pragma once
#include <chrono>
#include <string>

namespace eb::engine {

inline double seconds_now() {  // since some moment in the past
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// UTC in strftime's format, at most 31 characters: "2026-11-20T22:45:00Z".
std::string utc_now(const char* format = "%Y-%m-%dT%H:%M:%SZ");

}  // namespace eb::engine
