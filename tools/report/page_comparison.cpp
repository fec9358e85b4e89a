// Several runs side by side: mean and standard deviation over seeds, and accuracy against cost.
#include <fmt/format.h>

#include "tools/report/html_text.h"
#include "tools/report/numbers.h"
#include "tools/report/page.h"
#include "tools/report/svg_plot.h"

namespace eb::tools::page {

using nlohmann::json;

// mean ± std, both in the unit of `format`.
template <typename Format>
static std::string stat(const json& s, const Format& format) {
  const Number mean = number(s, "mean"), spread = number(s, "std");
  if (!mean) return not_measured();
  return format(mean) + (spread ? "<small class=\"spread\">± " + format(spread) + "</small>" : "");
}

static std::string seeds(const json& row) {
  std::string out;
  for (const json& seed : list(row, "seeds"))
    if (const Number n = number(seed)) out += (out.empty() ? "" : ", ") + brief(*n);
  return out.empty() ? "–" : out;
}

static std::string links(const json& row) {
  std::string out;
  for (const json& run : list(row, "runs"))
    if (const Number n = number(run))
      out += fmt::format("{0}<a href=\"#run-{1}\">{1}</a>", out.empty() ? "" : ", ", *n + 1);
  return out.empty() ? "–" : out;
}

static std::string comparison_row(const json& r, size_t position) {
  const auto share_of = [](Number n) { return percent(n); };
  const auto flops = [](Number n) { return metric(n, "FLOPs"); };
  const auto whole = [](Number n) { return count(n); };
  const auto epoch = [](Number n) { return n && is_whole(*n) ? count(n) : decimal(n, 1); };
  const auto cell = [&](const char* key, const auto& format) {
    return "<td>" + stat(value(r, key), format) + "</td>";
  };
  return "<tr><td>" + std::to_string(position) + "</td><th scope=\"row\">" + shortened(text(r, "label"), 40) +
         "</th><td>" + links(r) + "</td><td>" + seeds(r) + "</td>" + cell("top1", share_of) +
         cell("top5", share_of) + cell("params", whole) + cell("flops_per_image", flops) +
         cell("training_flops", flops) + cell("seconds", [](Number n) { return duration(n); }) +
         cell("joules", [](Number n) { return energy(n); }) +
         (value(r, "draw_epoch").is_null() ? "<td>–</td>" : cell("draw_epoch", epoch)) + "</tr>\n";
}

static std::string comparison_table(const json& rows) {
  std::string head, body;
  for (const char* name : {"#", "What", "Runs", "Seeds", "Top-1", "Top-5", "Parameters", "FLOPs per image",
                           "Training FLOPs", "Training time", "Energy", "Drawn at"})
    head += fmt::format("<th scope=\"col\">{}</th>", name);
  for (size_t i = 0; i < rows.size(); ++i) body += comparison_row(rows[i], i + 1);
  return table_box("Comparison of the runs", "<table class=\"comparison\"><thead><tr>" + head +
                                                 "</tr></thead><tbody>" + body + "</tbody></table>");
}

static std::string cost_scatter(const json& comparison) {
  const bool in_joules = text(comparison, "cost") == "joules";
  const char* key = in_joules ? "joules" : "training_flops";
  Scatter scatter{"Top-1 accuracy against the cost of training",
                  in_joules ? "energy in joules" : "training PFLOPs, search included",
                  "top-1",
                  {},
                  true};
  const json& rows = list(comparison, "rows");
  for (size_t i = 0; i < rows.size(); ++i) {
    const Number x = number(value(rows[i], key), "mean"), y = number(value(rows[i], "top1"), "mean");
    if (x && y)
      scatter.points.push_back({static_cast<int>(i + 1), text(rows[i], "label"), *x * (in_joules ? 1 : 1e-15),
                                *y, number(value(rows[i], "top1"), "std")});
  }
  return figure("Accuracy against cost", scatter_plot(scatter),
                "Each point is a row of the table, by its number; the bar is one standard deviation of the "
                "accuracy. Up is better, left is "
                "cheaper: a point above and to the left of another beats it in both.");
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
         cost_scatter(comparison) + "</section>\n";
}

}  // namespace eb::tools::page
