#include "tools/doctor/cgroup.h"

#include <sstream>
#include <string>
#include <vector>

#include "tools/doctor/line.h"

namespace eb::tools {

namespace {

struct Group {
  bool first_version = false;  // of cgroups
  fs::path folder;
};

bool lists(const std::string& words, const std::string& wanted) {
  return ("," + words + ",").find("," + wanted + ",") != std::string::npos;
}

// The groups of this process that the controller ("cpu") may limit, each with those above it. In a container
// the path may be one of the host; then only its beginning, the root, is there.
std::vector<Group> groups_of(const fs::path& root, const std::string& controller) {
  std::vector<Group> groups;
  std::istringstream lines(text_of(root / "proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {  // "4:cpu,cpuacct:/path"; version 2: "0::/path"
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool first_version = !controllers.empty();
    if (first_version && !lists(controllers, controller)) continue;
    const fs::path mount = root / "sys/fs/cgroup" / (first_version ? controller : "");
    for (fs::path path = fs::path(line.substr(second + 1)).relative_path();; path = path.parent_path()) {
      groups.push_back({first_version, mount / path});
      if (path.empty()) break;
    }
  }
  return groups;
}

// The number that a text begins with; -1 for none ("max").
double number(const std::string& text) {
  double value = -1;
  std::istringstream(text) >> value;
  return value;
}

// In cores; 0: no limit.
double cpu_limit_of(const Group& group) {
  std::string quota, period;  // microseconds: "150000 100000"; none: "max 100000", -1
  std::istringstream words(group.first_version ? text_of(group.folder / "cpu.cfs_quota_us") + " " +
                                                     text_of(group.folder / "cpu.cfs_period_us")
                                               : text_of(group.folder / "cpu.max"));
  words >> quota >> period;
  return number(quota) > 0 && number(period) > 0 ? number(quota) / number(period) : 0;
}

template <class Limit>
double smallest(const std::vector<Group>& groups, const Limit& limit_of) {
  double least = 0;
  for (const Group& group : groups)
    if (const double limit = limit_of(group); limit > 0 && (least == 0 || limit < least)) least = limit;
  return least;
}

}  // namespace

double cpu_limit(const fs::path& root) {
  return smallest(groups_of(root, "cpu"), cpu_limit_of);
}

uint64_t memory_limit(const fs::path& root) {
  constexpr double none = 1e18;  // version 1 has a number near 2^63 for it
  const double limit = smallest(groups_of(root, "memory"), [](const Group& group) {
    return number(text_of(group.folder / (group.first_version ? "memory.limit_in_bytes" : "memory.max")));
  });
  return limit < none ? static_cast<uint64_t>(limit) : 0;
}

}  // namespace eb::tools
