// Where a run writes, and the memory that processes of one machine share.
#pragma once
#include "tools/doctor/line.h"

namespace eb::tools {

struct SpaceFacts {
  bool there = false;
  double total = 0, free = 0;  // bytes
};
SpaceFacts read_shared_memory(const fs::path& root);
// NCCL passes data between the cards of a machine through it, and needs room for several.
Line shared_memory_line(const SpaceFacts& shared, int cards);

struct DiskFacts {
  fs::path folder, tried;        // asked for, and the nearest that exists
  double free = 0, written = 0;  // bytes
  double seconds = 0;            // to write and sync so many
  std::string error, advice;     // of the file layer, if it failed
};
DiskFacts read_disk(const fs::path& folder);  // writes a file there and removes it
Line disk_line(const DiskFacts& disk);

}  // namespace eb::tools
