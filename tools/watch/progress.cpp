#include "tools/watch/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include "engine/base/text.h"
#include "tools/plot/text_plot.h"
#include "tools/watch/terminal.h"

namespace eb::tools {

static bool on_terminal() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) && term && std::string_view(term) != "dumb";
}

std::string format_seconds(double seconds) {
  const auto s = static_cast<int64_t>(seconds + 0.5);
  if (s >= 3600) return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
  if (s >= 60) return fmt::format("{}m{:02}s", s / 60, s % 60);
  return fmt::format("{}s", s);
}

ProgressPrinter::ProgressPrinter(Style style) : style_(style) {
  if (style_ == Style::automatic) style_ = on_terminal() ? Style::line : Style::log;
}

bool ProgressPrinter::due(double interval) {
  const auto now = std::chrono::steady_clock::now();
  if (std::chrono::duration<double>(now - last_).count() < interval) return false;
  last_ = now;
  return true;
}

void ProgressPrinter::clear_line() {
  if (line_open_) std::fputs("\r\x1b[K", stderr);
  line_open_ = false;
}

// A character in the last column would make some terminals wrap. All of the text is ASCII.
std::string progress_line(const engine::Progress& p, int columns) {
  const std::string text =
      fmt::format("{} epoch {}/{} step {}/{}  {:.0f} images/s  loss {:.4f}  top-1 {:.2f} %  {}  ETA {}",
                  name_of(p.phase), p.epoch, p.epochs, p.step, p.end_step, p.images_per_s, p.loss,
                  p.top1 * 100, p.status, format_seconds(p.eta_seconds));
  return text.substr(0, static_cast<size_t>(std::max(0, columns - 1)));
}

// The size is asked for at every line: a window that changes needs no signal.
void ProgressPrinter::on_step(const engine::Progress& p) {
  if (style_ == Style::quiet || !due(style_ == Style::line ? 0.1 : 30)) return;
  const bool line = style_ == Style::line;
  const std::string text = progress_line(p, line ? terminal_size(STDERR_FILENO).columns : 1000);
  clear_line();
  std::fputs(text.c_str(), stderr);
  line_open_ = style_ == Style::line;
  if (!line_open_) std::fputc('\n', stderr);
}

std::string epoch_line(const engine::EpochRecord& e) {
  std::string distances;
  for (const auto& [ratio, check] : e.masks)
    if (check.distance)
      distances += fmt::format("  {} {:.3f}", engine::terminal_text(ratio), *check.distance);
  return fmt::format(
      "epoch {:>3} {:<8} train loss {:.4f}  train top-1 {:5.2f} %  test top-1 {:5.2f} %  {:.0f} images/s{}{}",
      e.epoch, name_of(e.phase), e.train_loss.value_or(0), e.train_top1.value_or(0) * 100,
      e.test_top1.value_or(0) * 100, e.images_per_s.value_or(0),
      e.lr ? fmt::format("  lr {:.4g}", *e.lr) : "", distances.empty() ? "" : "  distance" + distances);
}

void ProgressPrinter::on_epoch(const engine::EpochRecord& e) {
  if (style_ == Style::quiet) return;
  clear_line();
  std::fputs((epoch_line(e) + "\n").c_str(), stderr);
}

void ProgressPrinter::on_message(const std::string& text) {
  if (style_ == Style::quiet && !text.starts_with("warning:")) return;
  clear_line();
  std::fputs((text + "\n").c_str(), stderr);
}

}  // namespace eb::tools
