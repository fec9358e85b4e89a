#include "tools/plot/svg_bars.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "tools/plot/html_text.h"
#include "tools/plot/svg_axis.h"
#include "tools/plot/svg_plot.h"
#include "tools/record/numbers.h"

namespace eb::tools::page {

static constexpr double stack_left = 106, stack_right = 540, stack_row = 46;

static double total(const StackedBar& bar) {
  double sum = 0;
  for (const Number& part : bar.parts) sum += part.value_or(0);
  return sum;
}

static std::string stack_row_svg(const StackedBar& bar, const std::vector<std::string>& parts, const Axis& x,
                                 double y) {
  std::string out = svg_text(stack_left - 10, y + 20, "end", shorten(bar.name, 8));
  double sum = 0;
  for (size_t i = 0; i < bar.parts.size() && i < parts.size(); ++i) {
    const double from = x.at(sum), to = x.at(sum += bar.parts[i].value_or(0));
    if (to - from < 0.05) continue;
    out += fmt::format(
        "<rect class=\"fill f{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"30\"><title>{}: {}</title></rect>",
        i + 1, px(from), px(y), px(to - from), escape_html(parts[i]), duration(bar.parts[i]));
  }
  return out;
}

std::string stacked_bars(const std::string& title, const std::vector<std::string>& parts,
                         const std::vector<StackedBar>& bars) {
  double most = 0;
  for (const StackedBar& bar : bars) most = std::max(most, total(bar));
  if (most <= 0) return "";
  Axis x = round_axis(0, most, 5);
  x.from = stack_left, x.to = stack_right;
  const double bottom = 8 + stack_row * static_cast<double>(bars.size());
  std::string entries, out;
  for (size_t i = 0; i < parts.size(); ++i)
    entries += legend_entry(fmt::format("block f{}", i + 1), parts[i]);
  for (double v : x.ticks(5))
    out += fmt::format("<path class=\"grid\" d=\"M{} 4V{}\"/>", px(x.at(v)), px(bottom)) +
           svg_text(x.at(v), bottom + 20, "middle", brief(v));
  for (size_t i = 0; i < bars.size(); ++i)
    out += stack_row_svg(bars[i], parts, x, 8 + stack_row * static_cast<double>(i));
  return "<ul class=\"legend\">" + entries + "</ul>" + svg_open(title, "wide", 560, bottom + 46) + out +
         svg_text((stack_left + stack_right) / 2, bottom + 41, "middle", "seconds") + "</svg>";
}

static constexpr double bars_left = 164, lane_width = 12;

namespace {

struct Bracket {
  std::vector<size_t> rows;
  int lane = 0;
};

}  // namespace

// Groups of two bars or more; brackets whose rows overlap get lanes of their own.
static std::vector<Bracket> brackets(const std::vector<ShareBar>& bars) {
  std::map<double, Bracket> groups;
  for (size_t i = 0; i < bars.size(); ++i)
    if (bars[i].group) groups[*bars[i].group].rows.push_back(i);
  std::vector<Bracket> all;
  for (auto& [id, group] : groups)
    if (group.rows.size() > 1) all.push_back(std::move(group));
  std::sort(all.begin(), all.end(), [](const Bracket& a, const Bracket& b) { return a.rows[0] < b.rows[0]; });
  std::vector<size_t> last_row;  // of each lane
  for (Bracket& b : all) {
    const auto free =
        std::find_if(last_row.begin(), last_row.end(), [&](size_t row) { return row < b.rows[0]; });
    b.lane = static_cast<int>(free - last_row.begin());
    if (free == last_row.end()) last_row.push_back(0);
    last_row[static_cast<size_t>(b.lane)] = b.rows.back();
  }
  return all;
}

static std::string bracket_svg(const Bracket& b, double right, double pitch) {
  const auto row = [&](size_t i) { return 26 + pitch * (static_cast<double>(i) + 0.5); };
  const double x = right + 64 + lane_width * std::min(b.lane, 5);
  std::string d = fmt::format("M{} {}V{}", px(x), px(row(b.rows.front())), px(row(b.rows.back())));
  for (size_t i : b.rows) d += fmt::format("M{} {}h-6", px(x), px(row(i)));
  return "<path class=\"bracket\" d=\"" + d + "\"/>";
}

static std::string share_row(const ShareBar& bar, size_t index, double right, double pitch, bool named) {
  const double y = 26 + pitch * static_cast<double>(index), thick = pitch * (pitch > 4 ? 0.7 : 1);
  const double width = right - bars_left;
  std::string out = "<g>";
  if (!bar.tooltip.empty()) out += "<title>" + escape_html(bar.tooltip) + "</title>";
  out += fmt::format("<rect class=\"gone\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>", px(bars_left),
                     px(y), px(width), px(thick));
  out += fmt::format("<rect class=\"fill {}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
                     bar.marked ? "f3" : "f1", px(bars_left), px(y),
                     px(width * std::clamp(bar.share, 0.0, 1.0)), px(thick));
  if (named)
    out += svg_text(bars_left - 8, y + thick / 2 + 4, "end", shorten(bar.name, 15)) +
           svg_text(right + 8, y + thick / 2 + 4, "start", percent(bar.share, 0));
  return out + "</g>";
}

std::string share_bars(const std::string& title, const std::vector<ShareBar>& bars) {
  if (bars.empty()) return "";
  const auto n = static_cast<double>(bars.size());
  const auto groups = brackets(bars);
  const double right = groups.empty() ? 498 : 424;  // the brackets need room
  const bool named = n <= 64;                       // above that only every so many rows have a number
  const double pitch = named ? 19 : std::max(1.2, 1216 / n), bottom = 26 + pitch * n;
  const size_t every = named ? 1 : std::max<size_t>(1, bars.size() / 20);
  std::string out;
  for (double v : {0., 0.5, 1.}) {
    const double x = bars_left + v * (right - bars_left);
    out += svg_text(x, 14, "middle", brief(v * 100) + " %") +
           fmt::format("<path class=\"grid\" d=\"M{} 20V{}\"/>", px(x), px(bottom));
  }
  for (size_t i = 0; i < bars.size(); ++i) {
    out += share_row(bars[i], i, right, pitch, named);
    if (!named && (i == 0 || (i + 1) % every == 0))
      out += svg_text(bars_left - 8, 26 + pitch * (static_cast<double>(i) + 0.5) + 4, "end",
                      "layer " + std::to_string(i + 1));
  }
  for (const Bracket& b : groups) out += bracket_svg(b, right, pitch);
  return svg_open(title, "wide", 560, bottom + 6) + out + "</svg>";
}

}  // namespace eb::tools::page
