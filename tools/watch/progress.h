// What a person sees while a run goes on: one rewritten line on a terminal, one line per interval elsewhere.
// All of it on stderr; stdout stays free for results.
#pragma once
#include <chrono>
#include <string>

#include "engine/run/session.h"

namespace eb::tools {

class ProgressPrinter : public engine::SessionObserver {
 public:
  enum class Style : uint8_t { automatic, line, log, quiet };
  explicit ProgressPrinter(Style style = Style::automatic);
  void on_step(const engine::Progress& p) override;
  void on_epoch(const engine::EpochRecord& epoch) override;
  void on_message(const std::string& text) override;

 private:
  void clear_line();
  bool due(double interval);
  Style style_;
  bool line_open_ = false;
  std::chrono::steady_clock::time_point last_{};
};

// An epoch's line of metrics.jsonl for people, in one line.
std::string epoch_line(const engine::EpochRecord& epoch);

// "1h02m", "3m20s", "12s".
std::string format_seconds(double seconds);

}  // namespace eb::tools
