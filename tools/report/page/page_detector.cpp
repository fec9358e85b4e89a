// Why the ticket was drawn at epoch N: the detector's rule with the numbers of this run.
#include <fmt/format.h>

#include <cmath>

#include "pruning/found_by.h"
#include "tools/plot/html_text.h"
#include "tools/plot/svg_plot.h"
#include "tools/record/numbers.h"
#include "tools/report/gather/masks.h"
#include "tools/report/page/page.h"

namespace eb::tools::page {

using pruning::FoundBy;

static std::string capital(std::string words) {
  words[0] = static_cast<char>(std::toupper(words[0]));
  return words;
}

static std::string ratio_words(const RatioReport& ratio) {
  return ratio.ratio ? "p&nbsp;=&nbsp;" + brief(*ratio.ratio) : shortened(ratio.name);
}

static std::string what_a_mask_is(const RatioReport& ratio) {
  const Number bits = ratio.bits, kept = ratio.kept, p = ratio.ratio;
  std::string out =
      "<p>Every batch norm multiplies each of its channels by a learned scale, γ. A <em>mask</em> says ";
  out +=
      "which of the " + (bits ? count(bits) + " " : "") + "channels the network would keep at this moment: ";
  out += kept ? "the " + count(kept) + " with the largest <span class=\"whole\">|γ|</span>"
              : "those with the largest <span class=\"whole\">|γ|</span>";
  if (p) out += " (p&nbsp;=&nbsp;" + brief(*p) + " prunes " + percent(p, 0) + ")";
  return out +
         ". The <em>distance</em> of two masks is the share of channels on which they differ: 0 for the same "
         "mask, "
         "1 for no agreement at all.</p>";
}

static std::string rule_words(const SearchReport& eb, const RatioReport& ratio) {
  const Number threshold = eb.threshold, bits = ratio.bits;
  const int window = window_of(eb);
  if (!threshold || window < 2) return "";
  std::string limit = "at most <strong>" + brief(*threshold) + "</strong>";
  if (bits)
    limit += " (" + count(std::floor(*threshold * *bits + 1e-9)) + " of " + counted(*bits, "channel") + ")";
  const std::string others =
      window == 2 ? "the mask before it" : "each of the " + count(window - 1) + " masks before it";
  const std::string rule = compares_neighbours(eb)
                               ? "in the last " + count(window) + " masks each is at a distance of " + limit +
                                     " from the one before it"
                               : "the newest mask is at a distance of " + limit + " from " + others;
  return "<p class=\"rule\"><strong>The rule.</strong> The ticket has emerged when " + rule +
         " (a window of " + count(window) + " masks).</p>";
}

static std::string check_row(const SearchReport& eb, const Comparison& c, const MaskDistances& m,
                             double threshold) {
  const double distance = m.distance(c.older, c.newer);
  const bool within = distance <= threshold, pairs = compares_neighbours(eb);
  const std::string other = pairs
                                ? "epochs " + epochs(m.epochs[c.older]) + " and " + epochs(m.epochs[c.newer])
                                : at_epoch(m.epochs[c.older]);
  return fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td>{:.4f}</td><td class=\"{}\">{}</td></tr>\n",
                     other, count(m.differing(c.older, c.newer)), distance, within ? "yes" : "no",
                     within ? "within" : "above");
}

// The comparisons the detector made at one mask, as a table.
static std::string check_table(const SearchReport& eb, const MaskDistances& m, size_t at) {
  const Number threshold = eb.threshold;
  std::string rows;
  for (const Comparison& c : comparisons(eb, at)) rows += check_row(eb, c, m, threshold.value_or(1));
  if (rows.empty()) return "";
  const std::string epoch = "Mask of " + at_epoch(m.epochs[at]);
  const std::string first =
      compares_neighbours(eb) ? "Masks of" : capital(at_epoch(m.epochs[at])) + " against";
  return table_box(epoch + " in its window",
                   "<table class=\"check\"><thead><tr><th scope=\"col\">" + first +
                       "</th><th scope=\"col\">Channels that differ</th><th scope=\"col\">Distance</th><th "
                       "scope=\"col\">Threshold " +
                       brief(threshold.value_or(1)) + "</th></tr></thead><tbody>" + rows +
                       "</tbody></table>");
}

static std::string why_not_before(const SearchReport& eb, const MaskDistances& m, size_t at) {
  const size_t window = static_cast<size_t>(window_of(eb));
  if (at < window)
    return " It was the first check with " + count(static_cast<double>(window)) + " masks to look at.";
  const auto before = largest(m, comparisons(eb, at - 1));
  if (!before) return "";
  return " One check earlier, at " + at_epoch(m.epochs[at - 1]) + ", the largest distance was still " +
         decimal(m.distance(before->older, before->newer), 4) + " (from the mask of " +
         at_epoch(m.epochs[before->older]) + ").";
}

// " The ticket was drawn by the detector at epoch 10."; "" before the draw.
static std::string how_drawn(const SearchReport& eb, bool emerged) {
  if (!eb.draw) return "";
  const std::string by = eb.draw->found_by.value_or("");
  const std::string epoch = eb.draw_epoch ? at_epoch(eb.draw_epoch->value) : "epoch " + count(eb.draw->epoch);
  const auto known = engine::value_of<FoundBy>(by);
  const std::string how = known == FoundBy::detector   ? "by the detector at " + epoch
                          : known == FoundBy::deadline ? "at the deadline, " + epoch
                          : known == FoundBy::draw_at  ? "at an epoch fixed beforehand, " + epoch
                          : by.empty()                 ? "at " + epoch
                                                       : "at " + epoch + " (" + shortened(by) + ")";
  return std::string(" The ticket was drawn ") + (emerged ? "" : "all the same, ") + how + ".";
}

static std::string emerged_words(const SearchReport& eb, const RatioReport& ratio, const MaskDistances& m,
                                 size_t at) {
  const auto worst = largest(m, comparisons(eb, at));
  std::string out = "<p><strong>" + capital(at_epoch(m.epochs[at])) +
                    "</strong> was the first to fulfil it for " + ratio_words(ratio);
  if (worst)
    out += ": the largest distance in its window is " + decimal(m.distance(worst->older, worst->newer), 4) +
           ", " + counted(m.differing(worst->older, worst->newer), "channel");
  return out + "." + why_not_before(eb, m, at) + how_drawn(eb, true) + "</p>" + check_table(eb, m, at);
}

static std::string not_emerged_words(const SearchReport& eb, const RatioReport& ratio,
                                     const MaskDistances& m) {
  std::string out = "<p>The masks of " + ratio_words(ratio) + " have not settled.";
  const auto worst = m.epochs.empty() ? std::nullopt : largest(m, comparisons(eb, m.epochs.size() - 1));
  if (worst)
    out += " At the last check, " + at_epoch(m.epochs.back()) + ", the largest distance in the window was " +
           decimal(m.distance(worst->older, worst->newer), 4) + ".";
  return out + how_drawn(eb, false) + "</p>" +
         (m.epochs.empty() ? "" : check_table(eb, m, m.epochs.size() - 1));
}

static std::string why(const SearchReport& eb, const RatioReport& ratio) {
  const MaskDistances m = mask_distances(ratio);
  const auto at = emergence(ratio, m);
  if (at) return emerged_words(eb, ratio, m, *at);
  const auto epoch = ratio.emerged_epoch;
  if (!epoch) return not_emerged_words(eb, ratio, m);
  return "<p><strong>" + capital(at_epoch(epoch->value)) + "</strong> was the first to fulfil it for " +
         ratio_words(ratio) + "; the masks themselves are not in this report." + how_drawn(eb, true) + "</p>";
}

static std::string watched_table(const SearchReport& eb) {
  std::string rows;
  for (const RatioReport& r : eb.ratios) {
    const auto epoch = r.emerged_epoch;
    rows += "<tr><th scope=\"row\">" + ratio_words(r) +
            (is_drawn(eb, r) ? " <span class=\"tag\">drawn</span>" : "") + "</th><td>" + count(r.kept) +
            "</td><td>" + (epoch ? at_epoch(epoch->value) : "not settled") + "</td><td>" +
            decimal(r.window_distance.empty() ? Number() : r.window_distance.back().distance, 4) +
            "</td></tr>";
  }
  return table_box("Watched ratios",
                   "<table class=\"watched\"><thead><tr><th scope=\"col\">Share to prune</th><th "
                   "scope=\"col\">Channels kept</th><th "
                   "scope=\"col\">Emerged</th><th scope=\"col\">Last distance</th></tr></thead><tbody>" +
                       rows + "</tbody></table>");
}

static Series distance_series(const RatioReport& ratio, int color) {
  const Number p = ratio.ratio;
  Series s{p ? "p = " + brief(*p) : shorten(ratio.name), color, false, {}, {}};
  for (const WindowDistance& check : ratio.window_distance)
    s.x.push_back(check.epoch.value), s.y.push_back(check.distance);
  return s;
}

static std::string distance_plot(const RunReport& run, const SearchReport& eb) {
  Plot plot;
  plot.title = "Largest mask distance in the window against the epoch, with the threshold";
  plot.level = eb.threshold;
  if (plot.level) plot.level_name = "threshold " + brief(*plot.level);
  plot.y_low = 0;
  int color = 1;  // the first is for the ratio that is explained
  for (const RatioReport& r : eb.ratios)
    plot.series.push_back(distance_series(r, &r == ratio_to_explain(eb) ? 1 : ++color));
  for (const PhaseChange& c : phase_changes(run)) plot.phases.push_back({c.epoch, c.name});
  return figure(
      "Distance to the window, by epoch", line_plot(plot),
      "The detector's figure: the largest distance in the window at each check, one line for each watched "
      "ratio. While a line falls, the network is making up its mind about its channels. A ticket emerges "
      "where its line reaches the threshold with a full window.");
}

std::string early_bird_section(const RunPage& page) {
  if (!page.run.early_bird)
    return section(page, "early-bird", "Early Bird",
                   "<p class=\"empty\">This run did not look for a ticket.</p>");
  const SearchReport& eb = *page.run.early_bird;
  const RatioReport* ratio = ratio_to_explain(eb);
  if (!ratio)
    return section(page, "early-bird", "Early Bird", "<p class=\"empty\">No mask has been drawn yet.</p>");
  const Number drawn = draw_epoch(page.run);
  const std::string title = drawn ? "Why " + at_epoch(*drawn) : "Early Bird: no ticket yet";
  const std::string words = what_a_mask_is(*ratio) + rule_words(eb, *ratio) + why(eb, *ratio);
  return section(page, "early-bird", title,
                 "<div class=\"columns\"><div>" + words + "</div><div>" + distance_plot(page.run, eb) +
                     watched_table(eb) + "</div></div>" + heat_maps(page, eb));
}

}  // namespace eb::tools::page
