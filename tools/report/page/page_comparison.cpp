// Several runs side by side: mean and standard deviation over seeds, and accuracy against cost.
#include <fmt/format.h>

#include <algorithm>

#include "tools/plot/html_text.h"
#include "tools/plot/svg_plot.h"
#include "tools/record/numbers.h"
#include "tools/report/page/page.h"

namespace eb::tools::page {

using Rows = std::vector<ComparisonRow>;
using Stat = std::optional<Statistic>;

static Number mean(const Stat& s) {
  return s ? s->mean : std::nullopt;
}

// mean ± std. `format` takes a number and the one whose unit it is to have: both have that of the mean.
template <typename Format>
static std::string stat(const Stat& s, const Format& format) {
  if (!mean(s)) return not_measured();
  return format(s->mean, s->mean) +
         (s->std ? "<small class=\"spread\">± " + format(s->std, s->mean) + "</small>" : "");
}

// Each leads to its run.
static std::string seeds(const ComparisonRow& row) {
  std::string out;
  for (size_t i = 0; i < row.runs.size(); ++i) {
    const Number seed = i < row.seeds.size() ? row.seeds[i] : std::nullopt;
    out += fmt::format("{}<a href=\"#run-{}\">{}</a>", out.empty() ? "" : ", ", row.runs[i] + 1,
                       seed ? brief(*seed) : "?");
  }
  return out.empty() ? "–" : out;
}

static bool any_energy(const Rows& rows) {
  return std::any_of(rows.begin(), rows.end(), [](const ComparisonRow& r) { return r.joules.has_value(); });
}

static std::string comparison_row(const ComparisonRow& r, size_t position, bool with_energy) {
  const auto share_of = [](Number n, Number) { return percent(n); };
  const auto flops = [](Number n, Number like) { return metric(n, "FLOPs", like); };
  const auto joules = [](Number n, Number like) { return metric(n, "J", like); };
  const auto whole = [](Number n, Number) { return count(n); };
  const auto epoch = [](Number n, Number) { return n && is_whole(*n) ? count(n) : decimal(n, 1); };
  const auto cell = [](const Stat& s, const auto& format) { return "<td>" + stat(s, format) + "</td>"; };
  return "<tr><td>" + std::to_string(position) + "</td><th scope=\"row\">" + shortened(r.label, 60) +
         "</th><td class=\"seeds\">" + seeds(r) + "</td>" + cell(r.top1, share_of) + cell(r.top5, share_of) +
         cell(r.params, whole) + cell(r.flops_per_image, flops) + cell(r.training_flops, flops) +
         cell(r.seconds, duration) +
         (r.step_speedup ? cell(r.step_speedup, [](Number n, Number) { return times(n); }) : "<td>–</td>") +
         (with_energy ? cell(r.joules, joules) : "") +
         (r.draw_epoch ? cell(r.draw_epoch, epoch) : "<td>–</td>") + "</tr>\n";
}

static std::string busy_notes(const Rows& rows) {
  std::string out;
  for (const ComparisonRow& row : rows)
    if (row.seconds_note)
      out += "<p class=\"note\">No training time for " + shortened(row.label, 60) + ": " +
             shortened(*row.seconds_note, 160) + ".</p>";
  return out;
}

static std::string comparison_table(const Rows& rows) {
  std::string head, body;
  const bool with_energy = any_energy(rows);
  for (const std::string name : {"#", "What", "Seeds", "Top-1", "Top-5", "Parameters", "FLOPs per image",
                                 "Training FLOPs", "Training time", "Speed of a step", "Energy", "Drawn at"})
    if (name != "Energy" || with_energy) head += fmt::format("<th scope=\"col\">{}</th>", name);
  for (size_t i = 0; i < rows.size(); ++i) body += comparison_row(rows[i], i + 1, with_energy);
  return table_box("Comparison of the runs", "<table class=\"comparison\"><thead><tr>" + head +
                                                 "</tr></thead><tbody>" + body + "</tbody></table>");
}

// In the unit of the dearest point.
static std::string scatter_of_costs(Scatter& scatter, bool in_joules) {
  double largest = 0;
  for (const ScatterPoint& p : scatter.points) largest = std::max(largest, p.x);
  const Unit unit = metric_unit(largest, in_joules ? "J" : "FLOPs");
  for (ScatterPoint& p : scatter.points) p.x /= unit.size;
  scatter.x_name = in_joules ? "energy in " + unit.name : "training " + unit.name + ", search included";
  return scatter_plot(scatter);
}

static std::string cost_scatter(const ComparisonReport& comparison) {
  const bool in_joules = comparison.cost == CostOf::joules;
  Scatter scatter{"Top-1 accuracy against the cost of training", "", "top-1", {}, true};
  const Rows& rows = comparison.rows;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Number x = mean(in_joules ? rows[i].joules : rows[i].training_flops), y = mean(rows[i].top1);
    if (x && y) scatter.points.push_back({static_cast<int>(i + 1), rows[i].label, *x, *y, rows[i].top1->std});
  }
  return figure("Accuracy against cost", scatter_of_costs(scatter, in_joules),
                "Each point is a row of the table, by its number; the bar is one standard deviation of the "
                "accuracy. Up is better, left is "
                "cheaper: a point above and to the left of another beats it in both.");
}

// The paper's question whether tickets are there early: one curve for each ratio.
static std::string draw_epoch_plot(const DrawEpochs& draws) {
  Plot plot;
  plot.title = "Top-1 accuracy against the epoch at which the ticket was drawn";
  plot.x_name = "drawn after epoch", plot.y_name = "top-1";
  plot.percent_y = plot.markers = true;
  for (const DrawCurve& curve : draws.curves) {
    Series series{curve.label, static_cast<int>(plot.series.size() % 8 + 1)};
    for (const DrawPoint& point : curve.points) {
      if (!point.epoch) continue;
      series.x.push_back(*point.epoch);
      series.y.push_back(mean(point.top1));
      series.y_std.push_back(point.top1 ? point.top1->std : std::nullopt);
    }
    plot.series.push_back(std::move(series));
  }
  plot.level = mean(draws.dense);
  if (plot.level) plot.level_name = "dense, " + percent(plot.level);
  return figure(
      "Accuracy against the epoch of the draw", line_plot(plot),
      "Each point is a row of the table: tickets drawn then and trained to the end; the bar is one standard "
      "deviation. Where a curve is flat, drawing later buys nothing: the ticket was there already.");
}

// The row whose mean of `what` is highest, or lowest; null if none has one.
static const ComparisonRow* extreme(const Rows& rows, Stat ComparisonRow::*what, bool highest) {
  const ComparisonRow* best = nullptr;
  for (const ComparisonRow& row : rows) {
    const Number n = mean(row.*what);
    if (!n) continue;
    const Number so_far = best ? mean(best->*what) : std::nullopt;
    if (!so_far || (highest ? *n > *so_far : *n < *so_far)) best = &row;
  }
  return best;
}

static std::string comparison_sentence(const Rows& rows) {
  const ComparisonRow *best = extreme(rows, &ComparisonRow::top1, true),
                      *cheapest = extreme(rows, &ComparisonRow::training_flops, false);
  if (!best || !cheapest) return "";
  const std::string top1 = percent(mean(best->top1), 1);
  const std::string cost = metric(mean(cheapest->training_flops), "FLOPs");
  if (best == cheapest)
    return "<p class=\"lead\">" + shortened(best->label) + " has both the highest top-1, " + top1 +
           ", and the cheapest training, " + cost + ".</p>";
  return "<p class=\"lead\">The highest top-1 is " + top1 + " (" + shortened(best->label) +
         "); the cheapest training took " + cost + " (" + shortened(cheapest->label) + ", " +
         percent(mean(cheapest->top1), 1) + ").</p>";
}

std::string comparison_section(const Report& report) {
  if (!report.comparison || report.comparison->rows.empty())
    return "<section id=\"comparison\"><h2>Comparison</h2><p class=\"empty\">There is nothing to compare "
           "yet.</p></section>\n";
  const ComparisonReport& comparison = *report.comparison;
  return comparison_sentence(comparison.rows) + "<section id=\"comparison\"><h2>Comparison</h2>" +
         comparison_table(comparison.rows) +
         "<p class=\"note\">Mean over the runs of a row, ± the standard deviation where there are several. "
         "FLOPs = 2&nbsp;×&nbsp;MACs of "
         "convolutions and linear layers plus batch norms, activations and pools. Everything spent on the "
         "search is included. The speed of a step is that of the dense one's, both timed in turn at the "
         "draw.</p>" +
         busy_notes(comparison.rows) + cost_scatter(comparison) +
         draw_epoch_plot(comparison.draw_epochs.value_or(DrawEpochs{})) + "</section>\n";
}

}  // namespace eb::tools::page
