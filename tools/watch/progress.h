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
  ~ProgressPrinter() override { clear_line(); }  // an error is printed behind it
  void on_step(const engine::Progress& p) override;
  void on_epoch(const engine::EpochRecord& epoch) override;
  void on_message(const std::string& text) override;

  void clear_line();  // before somebody else prints

 private:
  bool due(double interval);
  Style style_;
  bool line_open_ = false;
  std::chrono::steady_clock::time_point last_{};
};

// An epoch's line of metrics.jsonl for people, in one line.
std::string epoch_line(const engine::EpochRecord& epoch);

// The progress line as far as a terminal of so many columns shows it without a second row.
std::string progress_line(const engine::Progress& p, int columns);

// "1h02m", "3m20s", "12s".
std::string format_seconds(double seconds);

}  // namespace eb::tools
