// Several runs side by side: mean and standard deviation over seeds, and accuracy against cost.
#include <fmt/format.h>

#include <algorithm>

#include "tools/plot/html_text.h"
#include "tools/plot/svg_plot.h"
#include "tools/record/numbers.h"
#include "tools/report/page/page.h"

namespace eb::tools::page {

using nlohmann::json;

// mean ± std. `format` takes a number and the one whose unit it is to have: both have that of the mean.
template <typename Format>
static std::string stat(const json& s, const Format& format) {
  const Number mean = number(s, "mean"), spread = number(s, "std");
  if (!mean) return not_measured();
  return format(mean, mean) +
         (spread ? "<small class=\"spread\">± " + format(spread, mean) + "</small>" : "");
}

// Each leads to its run.
static std::string seeds(const json& row) {
  std::string out;
  const json &runs = list(row, "runs"), &seeds = list(row, "seeds");
  for (size_t i = 0; i < runs.size(); ++i) {
    const Number run = number(runs[i]), seed = i < seeds.size() ? number(seeds[i]) : std::nullopt;
    if (run)
      out += fmt::format("{}<a href=\"#run-{}\">{}</a>", out.empty() ? "" : ", ", *run + 1,
                         seed ? brief(*seed) : "?");
  }
  return out.empty() ? "–" : out;
}

static bool any_energy(const json& rows) {
  return std::any_of(rows.begin(), rows.end(), [](const json& r) { return !value(r, "joules").is_null(); });
}

static std::string comparison_row(const json& r, size_t position, bool with_energy) {
  const auto share_of = [](Number n, Number) { return percent(n); };
  const auto flops = [](Number n, Number like) { return metric(n, "FLOPs", like); };
  const auto joules = [](Number n, Number like) { return metric(n, "J", like); };
  const auto whole = [](Number n, Number) { return count(n); };
  const auto epoch = [](Number n, Number) { return n && is_whole(*n) ? count(n) : decimal(n, 1); };
  const auto cell = [&](const char* key, const auto& format) {
    return "<td>" + stat(value(r, key), format) + "</td>";
  };
  return "<tr><td>" + std::to_string(position) + "</td><th scope=\"row\">" + shortened(text(r, "label"), 60) +
         "</th><td class=\"seeds\">" + seeds(r) + "</td>" + cell("top1", share_of) + cell("top5", share_of) +
         cell("params", whole) + cell("flops_per_image", flops) + cell("training_flops", flops) +
         cell("seconds", duration) + (with_energy ? cell("joules", joules) : "") +
         (value(r, "draw_epoch").is_null() ? "<td>–</td>" : cell("draw_epoch", epoch)) + "</tr>\n";
}

static std::string comparison_table(const json& rows) {
  std::string head, body;
  const bool with_energy = any_energy(rows);
  for (const std::string name : {"#", "What", "Seeds", "Top-1", "Top-5", "Parameters", "FLOPs per image",
                                 "Training FLOPs", "Training time", "Energy", "Drawn at"})
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

static std::string cost_scatter(const json& comparison) {
  const bool in_joules = text(comparison, "cost") == "joules";
  const char* key = in_joules ? "joules" : "training_flops";
  Scatter scatter{"Top-1 accuracy against the cost of training", "", "top-1", {}, true};
  const json& rows = list(comparison, "rows");
  for (size_t i = 0; i < rows.size(); ++i) {
    const Number x = number(value(rows[i], key), "mean"), y = number(value(rows[i], "top1"), "mean");
    if (x && y)
      scatter.points.push_back(
          {static_cast<int>(i + 1), text(rows[i], "label"), *x, *y, number(value(rows[i], "top1"), "std")});
  }
  return figure("Accuracy against cost", scatter_of_costs(scatter, in_joules),
                "Each point is a row of the table, by its number; the bar is one standard deviation of the "
                "accuracy. Up is better, left is "
                "cheaper: a point above and to the left of another beats it in both.");
}

// The paper's question whether tickets are there early: one curve for each ratio.
static std::string draw_epoch_plot(const json& comparison) {
  const json& draws = value(comparison, "draw_epochs");
  Plot plot;
  plot.title = "Top-1 accuracy against the epoch at which the ticket was drawn";
  plot.x_name = "drawn after epoch", plot.y_name = "top-1";
  plot.percent_y = plot.markers = true;
  for (const json& curve : list(draws, "curves")) {
    Series series{text(curve, "label"), static_cast<int>(plot.series.size() % 8 + 1)};
    for (const json& point : list(curve, "points")) {
      const Number epoch = number(point, "epoch");
      if (!epoch) continue;
      series.x.push_back(*epoch);
      series.y.push_back(number(value(point, "top1"), "mean"));
      series.y_std.push_back(number(value(point, "top1"), "std"));
    }
    plot.series.push_back(std::move(series));
  }
  plot.level = number(value(draws, "dense"), "mean");
  if (plot.level) plot.level_name = "dense, " + percent(plot.level);
  return figure(
      "Accuracy against the epoch of the draw", line_plot(plot),
      "Each point is a row of the table: tickets drawn then and trained to the end; the bar is one standard "
      "deviation. Where a curve is flat, drawing later buys nothing: the ticket was there already.");
}

// The row whose mean of `key` is highest, or lowest; null if none has one.
static const json* extreme(const json& rows, const char* key, bool highest) {
  const json* best = nullptr;
  for (const json& row : rows) {
    const Number n = number(value(row, key), "mean");
    if (!n) continue;
    const Number so_far = best ? number(value(*best, key), "mean") : std::nullopt;
    if (!so_far || (highest ? *n > *so_far : *n < *so_far)) best = &row;
  }
  return best;
}

static std::string comparison_sentence(const json& rows) {
  const json *best = extreme(rows, "top1", true), *cheapest = extreme(rows, "training_flops", false);
  if (!best || !cheapest) return "";
  const std::string top1 = percent(number(value(*best, "top1"), "mean"), 1);
  const std::string cost = metric(number(value(*cheapest, "training_flops"), "mean"), "FLOPs");
  if (best == cheapest)
    return "<p class=\"lead\">" + shortened(text(*best, "label")) + " has both the highest top-1, " + top1 +
           ", and the cheapest training, " + cost + ".</p>";
  return "<p class=\"lead\">The highest top-1 is " + top1 + " (" + shortened(text(*best, "label")) +
         "); the cheapest training took " + cost + " (" + shortened(text(*cheapest, "label")) + ", " +
         percent(number(value(*cheapest, "top1"), "mean"), 1) + ").</p>";
}

std::string comparison_section(const json& report) {
  const json& comparison = value(report, "comparison");
  const json& rows = list(comparison, "rows");
  if (rows.empty())
    return "<section id=\"comparison\"><h2>Comparison</h2><p class=\"empty\">There is nothing to compare "
           "yet.</p></section>\n";
  return comparison_sentence(rows) + "<section id=\"comparison\"><h2>Comparison</h2>" +
         comparison_table(rows) +
         "<p class=\"note\">Mean over the runs of a row, ± the standard deviation where there are several. "
         "FLOPs = 2&nbsp;×&nbsp;MACs of "
         "convolutions and linear layers plus batch norms, activations and pools. Everything spent on the "
         "search is included.</p>" +
         cost_scatter(comparison) + draw_epoch_plot(comparison) + "</section>\n";
}

}  // namespace eb::tools::page
