#include "tools/watch/watch_frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/base/text.h"
#include "tools/watch/progress.h"

namespace eb::tools {

using namespace engine;

static constexpr int least_plot_height = 6, least_plot_width = 50;

// --- curves ---

static Curve curve(const std::vector<EpochRecord>& epochs, const std::string& name,
                   Number EpochRecord::*value, double factor = 1) {
  Curve c{name, {}};
  for (const EpochRecord& e : epochs)
    if (const Number y = e.*value) c.points.emplace_back(static_cast<double>(e.epoch), factor * *y);
  return c;
}

static Plot distances(const RunView& run) {
  Plot plot{"mask distance", {}, run.threshold};
  std::map<std::string, Curve> curves;  // by the ratio's name
  for (const EpochRecord& e : run.epochs)
    for (const auto& [ratio, check] : e.masks) {
      Curve& c = curves.try_emplace(ratio, Curve{terminal_text(ratio, 12), {}}).first->second;
      if (check.distance) c.points.emplace_back(static_cast<double>(e.epoch), *check.distance);
    }
  for (auto& [ratio, c] : curves) plot.curves.push_back(std::move(c));
  return plot;
}

static Plot accuracy(const RunView& run) {
  Plot plot{"top-1 %", {curve(run.epochs, "test", &EpochRecord::test_top1, 100)}};
  Curve holdout = curve(run.epochs, "holdout", &EpochRecord::holdout_top1, 100);
  if (!holdout.points.empty()) plot.curves.push_back(std::move(holdout));
  plot.curves.push_back(curve(run.epochs, "train", &EpochRecord::train_top1, 100));
  return plot;
}

// Where one network follows another: between two epochs.
static std::vector<double> phase_changes(const RunView& run) {
  std::vector<double> at;
  for (size_t i = 1; i < run.epochs.size(); ++i)
    if (run.epochs[i].phase != run.epochs[i - 1].phase)
      at.push_back(static_cast<double>(run.epochs[i].epoch) - 0.5);
  return at;
}

// The most telling first: a small terminal shows only those.
static std::vector<Plot> plots_of(const RunView& run) {
  std::vector<Plot> plots;
  Plot masks = distances(run);
  if (!masks.curves.empty()) plots.push_back(std::move(masks));
  plots.push_back(accuracy(run));
  plots.push_back({"loss",
                   {curve(run.epochs, "test", &EpochRecord::test_loss),
                    curve(run.epochs, "train", &EpochRecord::train_loss)}});
  plots.push_back({"images/s", {curve(run.epochs, "training", &EpochRecord::images_per_s)}});
  for (Plot& plot : plots) {
    plot.x_from = static_cast<double>(run.epochs.front().epoch);
    plot.x_to = std::max(static_cast<double>(run.epochs.back().epoch), plot.x_from);
    plot.marks = phase_changes(run);
  }
  return plots;
}

// --- words ---

static std::string headline(const RunView& run) {
  std::string text = fmt::format("{}  {}", run.name.empty() ? "run" : run.name, run.phase);
  if (!run.epochs.empty()) text += fmt::format("  epoch {}", run.epochs.back().epoch);
  text += fmt::format("  step {}", run.step);
  return text + (run.end_step ? fmt::format("/{}", run.end_step) : "");
}

static std::string second_line(const RunView& run) {
  std::vector<std::string> words;
  if (run.ended()) words.push_back(run.ending());
  if (run.epochs.empty()) words.push_back("no epoch yet");
  if (!run.ended()) {
    if (run.seconds_left) words.push_back(fmt::format("ETA {}", format_seconds(*run.seconds_left)));
    if (run.silent_seconds)
      words.push_back(fmt::format("last sign of life {} ago", format_seconds(*run.silent_seconds)));
    const auto loss = run.batches.empty() ? std::nullopt : run.batches.back().loss;
    if (loss) words.push_back(fmt::format("loss of the newest batch {:.4f}", *loss));
  }
  if (run.damaged) words.push_back(damaged_text(run));
  return fmt::format("{}", fmt::join(words, "; "));
}

// --- layout ---

static void add_plots(const std::vector<Plot>& plots, const PlotStyle& style,
                      std::vector<std::string>& lines) {
  const int space = style.height - static_cast<int>(lines.size());
  const int columns = style.width >= 2 * least_plot_width && plots.size() > 1 ? 2 : 1;
  const int wanted = (static_cast<int>(plots.size()) + columns - 1) / columns;
  const int rows = std::clamp(space / least_plot_height, 1, wanted);
  PlotStyle each = style;
  each.width = (style.width - 2 * (columns - 1)) / columns;
  each.height = space / rows;
  if (each.height < 4) return;
  for (int r = 0; r < rows; ++r) {
    std::vector<std::string> row(static_cast<size_t>(each.height));
    for (int c = 0; c < columns; ++c) {
      const auto i = static_cast<size_t>(r * columns + c);
      if (i >= plots.size()) break;
      const auto drawn = draw(plots[i], each);
      for (size_t y = 0; y < drawn.size(); ++y) row[y] += (c ? "  " : "") + drawn[y];
    }
    lines.insert(lines.end(), row.begin(), row.end());
  }
}

std::vector<std::string> watch_frame(const RunView& run, const PlotStyle& style) {
  std::vector<std::string> lines;
  for (const std::string& words : {headline(run), second_line(run)}) {
    TextLine line(style.width, style.color);
    line.add(words);
    lines.push_back(line.padded());
  }
  if (!run.epochs.empty()) add_plots(plots_of(run), style, lines);
  lines.resize(std::min(lines.size(), static_cast<size_t>(std::max(0, style.height))));
  return lines;
}

std::string damaged_text(const RunView& run) {
  return fmt::format("{} damaged line{} skipped", run.damaged, run.damaged == 1 ? "" : "s");
}

}  // namespace eb::tools
