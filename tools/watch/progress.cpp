#include "tools/watch/progress.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include <fmt/format.h>

#include "engine/base/text.h"
#include "engine/run/names.h"
#include "tools/plot/text_plot.h"
#include "tools/watch/run_view.h"

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
                  name_of(p.phase), p.epoch, p.epochs, p.step, p.end_step, p.images_per_s, p.loss,
                  p.top1 * 100, p.status, format_seconds(p.eta_seconds));
  clear_line();
  std::fputs(text.c_str(), stderr);
  line_open_ = style_ == Style::line;
  if (!line_open_) std::fputc('\n', stderr);
}

std::string epoch_line(const nlohmann::json& m) {
  const auto value = [&](const std::string& key) { return number(m, key).value_or(0); };
  const auto phase = m.find("phase");
  constexpr std::string_view prefix = engine::file_names::distance_key;
  std::string distances;
  for (const auto& [key, v] : m.items())
    if (key.starts_with(prefix) && v.is_number())
      distances +=
          fmt::format("  {} {:.3f}", engine::terminal_text(key.substr(prefix.size())), v.get<double>());
  return fmt::format(
      "epoch {:>3.0f} {:<8} train loss {:.4f}  train top-1 {:5.2f} %  test top-1 {:5.2f} %  {:.0f} "
      "images/s{}",
      value("epoch"),
      phase != m.end() && phase->is_string() ? engine::terminal_text(phase->get<std::string>()) : "",
      value("train/loss"), value("train/top1") * 100, value("test/top1") * 100, value("perf/images_per_s"),
      distances.empty() ? "" : "  distance" + distances);
}

void ProgressPrinter::on_epoch(const nlohmann::json& m) {
  if (style_ == Style::quiet) return;
  clear_line();
  std::fputs((epoch_line(m) + "\n").c_str(), stderr);
}

void ProgressPrinter::on_message(const std::string& text) {
  if (style_ == Style::quiet && !text.starts_with("warning:")) return;
  clear_line();
  std::fputs((text + "\n").c_str(), stderr);
}

}  // namespace eb::tools
