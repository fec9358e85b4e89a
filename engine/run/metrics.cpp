#include "engine/run/metrics.h"

#include <fcntl.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/json.h"

namespace eb::engine {

using nlohmann::json;

constexpr size_t max_waiting = size_t{1} << 20;
constexpr size_t max_line = size_t{1} << 20;

MetricsWriter::MetricsWriter(const fs::path& path) : file_(path, O_WRONLY | O_CREAT | O_APPEND) {
  truncate_to(INT64_MAX);
}

void MetricsWriter::write(const json& line) {
  waiting_ += dump_json(line) + "\n";
  try {
    file_.write(waiting_);
    offset_ += static_cast<int64_t>(waiting_.size());
    waiting_.clear();
  } catch (const Error& e) {
    file_.truncate(offset_);  // no half a line
    if (e.code() != errors::disk_full || waiting_.size() > max_waiting) throw;
  }
}

int64_t MetricsWriter::offset() const {
  try {
    file_.sync();
  } catch (const Error& e) {
    if (e.code() != errors::disk_full) throw;  // truncate_to() bears a file that is shorter than the offset
  }
  return offset_;
}

void MetricsWriter::truncate_to(int64_t offset) {
  const std::string text = read_file(file_.path());
  const size_t kept = static_cast<size_t>(std::clamp<int64_t>(offset, 0, static_cast<int64_t>(text.size())));
  const size_t newline = kept == 0 ? text.npos : text.rfind('\n', kept - 1);
  offset_ = newline == text.npos ? 0 : static_cast<int64_t>(newline + 1);
  waiting_.clear();
  if (offset_ != static_cast<int64_t>(text.size())) file_.truncate(offset_);
}

Metrics read_metrics(const fs::path& path) {
  const std::string text = read_file(path);
  Metrics metrics;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    const bool whole = end != text.npos && end - begin <= max_line;
    json line = whole ? try_parse_json(std::string_view(text).substr(begin, end - begin))
                      : json(json::value_t::discarded);
    if (line.is_object())
      metrics.lines.push_back(std::move(line));
    else
      ++metrics.damaged;
    if (end == text.npos) break;
    begin = end + 1;
  }
  return metrics;
}

}  // namespace eb::engine
