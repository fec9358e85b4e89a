// The inside of one checkpoint directory; checkpoint.cpp reads and writes it, checkpoint_directory.cpp
// decides which ones exist.
#pragma once
#include <string>
#include <string_view>

#include "engine/checkpoint/checkpoint.h"

namespace eb::engine {

constexpr int checkpoint_format = 1;

struct Manifest {
  struct Part {
    uint64_t bytes = 0;
    std::string xxh3_128;  // 32 hex digits
  };
  int64_t step = 0;
  bool milestone = false;
  std::map<std::string, Part> files;
};

std::string content_hash(std::string_view bytes);  // XXH3 of 128 bits, 32 hex digits

Manifest read_manifest(const std::filesystem::path& step_directory);
// Makes `path` and fills it, manifest last; everything is on the disk afterwards, but its name is not.
void write_parts(const std::filesystem::path& path, int64_t step, const Checkpoint& checkpoint,
                 bool milestone);
// A name beside `path` that nobody uses, with a prefix that remove_stale_checkpoints() knows.
std::filesystem::path temporary_beside(const std::filesystem::path& path);

}  // namespace eb::engine
