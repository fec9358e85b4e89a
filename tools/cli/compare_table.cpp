#include "tools/cli/compare_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/text.h"
#include "tools/watch/progress.h"

namespace eb::tools {

using Stat = std::optional<Statistic>;

static std::string mean_of(const Stat& s, const char* format, double scale = 1) {
  return s && s->mean ? fmt::format(fmt::runtime(format), *s->mean * scale) : "-";
}

static std::string accuracy_of(const Stat& s) {
  std::string text = mean_of(s, "{:.2f} %", 100);
  if (s && s->std) text += fmt::format(" +- {:.2f}", 100 * *s->std);
  return text;
}

static std::string finished_of(const ComparisonRow& row) {
  const int64_t finished = row.top1 ? row.top1->n.value_or(0) : 0;
  return fmt::format("{} of {}", finished, row.runs.size());
}

std::string comparison_text(const ComparisonReport& comparison) {
  size_t width = 4;
  for (const ComparisonRow& row : comparison.rows)
    width = std::max(width, engine::terminal_text(row.label, 40).size());
  const auto line = [&](const auto&... cells) {
    return fmt::format("{:<{}}  {:>8}  {:>17}  {:>12}  {:>16}  {:>8}  {:>9}  {:>8}\n", cells...);
  };
  std::string text =
      line("", width, "finished", "top-1", "parameters", "training FLOPs", "time", "step", "drawn");
  std::string notes;
  for (const ComparisonRow& row : comparison.rows) {
    const bool timed = row.seconds && row.seconds->mean;
    text += line(engine::terminal_text(row.label, 40), width, finished_of(row), accuracy_of(row.top1),
                 mean_of(row.params, "{:.0f}"), mean_of(row.training_flops, "{:.4g}"),
                 timed ? format_seconds(*row.seconds->mean) : "-", mean_of(row.step_speedup, "{:.2f}x"),
                 mean_of(row.draw_epoch, "ep {:.3g}"));
    if (row.seconds_note) notes += fmt::format("{}: no time, {}\n", row.label, *row.seconds_note);
  }
  return text + "step: times the speed of a dense step, in pairs at the draw\n" + notes;
}

}  // namespace eb::tools
