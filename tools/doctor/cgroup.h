// What the control groups of this process leave it of the machine (man 7 cgroups, versions 1 and 2): a
// group's limit holds for all groups in it, so the smallest of the chain up to the root counts.
#pragma once
#include <cstdint>
#include <filesystem>

namespace eb::tools {

// `root` is where proc and sys lie. 0: no limit.
double cpu_limit(const std::filesystem::path& root);       // in cores: 1.5 is three halves of a core's time
uint64_t memory_limit(const std::filesystem::path& root);  // bytes

}  // namespace eb::tools
