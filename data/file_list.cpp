#include "data/file_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace eb::data {
namespace {

// Then in each line: bytes shared with the path before, bytes that follow, mark, and these bytes.
constexpr std::string_view first_line = "eb_engine data files 1\n";

struct FileLine {
  std::string path;
  uint64_t mark;
  bool operator==(const FileLine&) const = default;
};
using Files = std::vector<FileLine>;

void each_file(const Dataset& train, const Dataset& test, const Dataset::FileVisitor& visit) {
  train.each_file(visit);
  test.each_file(visit);
}

// Reads "NUMBER " from the front of `rest`.
bool take_number(std::string_view& rest, uint64_t& number) {
  const auto end = rest.data() + rest.size();
  const auto [at, error] = std::from_chars(rest.data(), end, number);
  if (error != std::errc() || at == end || *at != ' ') return false;
  rest.remove_prefix(static_cast<size_t>(at - rest.data()) + 1);
  return true;
}

// Empty if it is no list.
Files read_list(std::string_view rest) {
  Files files;
  if (!rest.starts_with(first_line)) return {};
  rest.remove_prefix(first_line.size());
  std::string path;
  for (uint64_t shared = 0, more = 0, mark = 0; !rest.empty();) {
    if (!take_number(rest, shared) || !take_number(rest, more) || !take_number(rest, mark)) return {};
    if (shared > path.size() || more >= rest.size() || rest[more] != '\n') return {};
    path.resize(shared);
    path += rest.substr(0, more);
    rest.remove_prefix(more + 1);
    files.push_back({path, mark});
  }
  return files;
}

using Marks = std::unordered_map<std::string_view, uint64_t>;

Marks marks_of(const Files& files) {
  Marks marks;
  for (const FileLine& f : files) marks.emplace(f.path, f.mark);
  return marks;
}

// How many files of `some` are not among `others`.
int64_t missing(const Files& some, const Marks& others) {
  return std::ranges::count_if(some, [&](const FileLine& f) { return !others.contains(f.path); });
}

std::string first_one(const Files& before, const Files& now, const Marks& marks_now) {
  const auto [was, is] = std::ranges::mismatch(before, now);
  if (was == before.end()) return is->path + " is new";
  const auto same = marks_now.find(was->path);
  if (same == marks_now.end()) return was->path + " is gone";
  if (same->second != was->mark) return was->path + " has changed";
  return is == now.end() ? was->path + " has moved" : is->path + " is new";
}

}  // namespace

std::string file_list(const Dataset& train, const Dataset& test) {
  std::string out, before;
  each_file(train, test, [&](const std::string& path, uint64_t mark) {
    if (out.empty()) out = first_line;
    const auto shared = static_cast<size_t>(std::ranges::mismatch(before, path).in1 - before.begin());
    const std::string_view rest = std::string_view(path).substr(shared);
    fmt::format_to(std::back_inserter(out), "{} {} {} {}\n", shared, rest.size(), mark, rest);
    before = path;
  });
  return out;
}

std::string difference(const std::string& list, const Dataset& train, const Dataset& test) {
  const Files before = read_list(list);
  if (before.empty()) return "";
  Files now;
  each_file(train, test, [&](const std::string& path, uint64_t mark) { now.push_back({path, mark}); });
  if (before == now) return "";
  const Marks marks_before = marks_of(before), marks_now = marks_of(now);
  const auto changed = std::ranges::count_if(before, [&](const FileLine& f) {
    const auto same = marks_now.find(f.path);
    return same != marks_now.end() && same->second != f.mark;
  });
  return fmt::format("{} ({} gone, {} new, {} changed of {} files)", first_one(before, now, marks_now),
                     missing(before, marks_now), missing(now, marks_before), changed, before.size());
}

}  // namespace eb::data
