#include "tools/progress.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include <fmt/format.h>

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

void ProgressPrinter::on_step(const engine::Progress& p) {
  if (style_ == Style::quiet || !due(style_ == Style::line ? 0.1 : 30)) return;
  const std::string text =
      fmt::format("{} epoch {}/{} step {}/{}  {:.0f} images/s  loss {:.4f}  top-1 {:.2f} %  {}  ETA {}",
                  p.phase, p.epoch, p.epochs, p.step, p.end_step, p.images_per_s, p.loss, p.top1 * 100,
                  p.status, format_seconds(p.eta_seconds));
  clear_line();
  std::fputs(text.c_str(), stderr);
  line_open_ = style_ == Style::line;
  if (!line_open_) std::fputc('\n', stderr);
}

void ProgressPrinter::on_epoch(const nlohmann::json& m) {
  if (style_ == Style::quiet) return;
  std::string distances;
  for (const auto& [key, value] : m.items())
    if (key.rfind("eb/distance_", 0) == 0 && value.is_number())
      distances += fmt::format("  {} {:.3f}", key.substr(12), value.get<double>());
  clear_line();
  std::fputs(fmt::format("epoch {:>3} {:<8} train loss {:.4f}  train top-1 {:5.2f} %  test top-1 {:5.2f} %  "
                         "{:.0f} images/s{}\n",
                         m.value("epoch", 0), m.value("phase", ""), m.value("train/loss", 0.0),
                         m.value("train/top1", 0.0) * 100, m.value("test/top1", 0.0) * 100,
                         m.value("perf/images_per_s", 0.0), distances.empty() ? "" : "  distance" + distances)
                 .c_str(),
             stderr);
}

void ProgressPrinter::on_message(const std::string& text) {
  if (style_ == Style::quiet) return;
  clear_line();
  std::fputs((text + "\n").c_str(), stderr);
}

}  // namespace eb::tools
