// metrics.jsonl: one JSON object per line, one write() per line. A checkpoint remembers the offset, a resumed
// run cuts the file there, so the lines of steps that were lost do not appear twice.
#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/base/file.h"

namespace eb::engine {

class MetricsWriter {
 public:
  explicit MetricsWriter(const std::filesystem::path& path);  // appends; drops a last line that was cut off
  // Keys sorted, numbers in the shortest form that reads back, non-finite ones null. On a full disk lines
  // wait in memory (1 MiB, then Error 8002) for the next write.
  void write(const nlohmann::json& line);
  // Size of what is written, which is on the disk when this returns.
  int64_t offset() const;
  // Drops everything behind the last whole line that ends at or before `offset`.
  void truncate_to(int64_t offset);

 private:
  File file_;
  int64_t offset_ = 0;
  std::string waiting_;
};

struct Metrics {
  std::vector<nlohmann::json> lines;
  int64_t damaged = 0;  // lines that are no JSON object, a last one without its end included
};
Metrics read_metrics(const std::filesystem::path& path);

}  // namespace eb::engine
