// What `eb_engine doctor` says of one thing.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "engine/base/enum_names.h"

namespace eb::tools {

namespace fs = std::filesystem;

// warning: something is worse than it could be, or will not work; problem: it does not work.
enum class LineState : uint8_t { ok, warning, problem };
constexpr auto enum_names(LineState) {
  return engine::names("ok", "warning", "problem");
}

struct Line {
  std::string name;
  LineState state = LineState::ok;
  std::string saw;
  std::string advice;  // what to do; empty only where all is well
};

inline Line ok(std::string name, std::string saw) {
  return {.name = std::move(name), .saw = std::move(saw)};
}
inline Line warning(std::string name, std::string saw, std::string advice) {
  return {std::move(name), LineState::warning, std::move(saw), std::move(advice)};
}
inline Line problem(std::string name, std::string saw, std::string advice) {
  return {std::move(name), LineState::problem, std::move(saw), std::move(advice)};
}

inline constexpr double mib = 1 << 20, gib = 1 << 30;
std::string size_text(double bytes);  // "64 MiB", "139.8 GiB"

// Of a file that the kernel makes, as those of /proc; "" if it cannot be read.
std::string text_of(const fs::path& file);
std::string first_line_of(const fs::path& file);

}  // namespace eb::tools
