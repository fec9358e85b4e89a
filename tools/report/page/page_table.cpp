// The headline table: measures as rows, networks as columns.
#include <fmt/format.h>

#include <cmath>
#include <functional>

#include "tools/plot/html_text.h"
#include "tools/record/numbers.h"
#include "tools/report/page/page.h"

namespace eb::tools::page {

using Networks = std::vector<NetworkReport>;

namespace {

struct Measure {
  const char* id;    // of its row
  const char* name;  // HTML
  std::function<Number(const NetworkReport&)> of;
  std::function<std::string(Number)> format;
  enum class Versus : uint8_t { nothing, share, points } versus;
  std::function<std::string(const NetworkReport&)> remark;  // what stands small below a value
};

}  // namespace

static std::function<std::string(Number)> with_unit(const char* unit) {
  return [unit](Number n) { return metric(n, unit); };
}

static std::function<std::string(const NetworkReport&)> note(Words NetworkReport::*words) {
  return [words](const NetworkReport& n) { return shortened((n.*words).value_or(""), 90); };
}

// Best epoch and how it was picked.
static std::string best_remark(const NetworkReport& n) {
  if (!n.top1_best) return "";
  return (n.best_epoch ? "epoch " + count(n.best_epoch) : "") + (n.best_epoch && n.best_rule ? ", " : "") +
         (n.best_rule ? "picked " + std::string(engine::name_of(*n.best_rule)) : "");
}

static const std::vector<Measure>& measures() {
  using V = Measure::Versus;
  using N = NetworkReport;
  const auto share_of = [](Number n) { return percent(n); };
  const auto time_of = [](Number n) { return duration(n); };
  const auto nothing = [](const N&) { return ""; };
  static const std::vector<Measure> all = {
      {"top1_last", "Top-1, last epoch", &N::top1_last, share_of, V::points, note(&N::top1_note)},
      {"top5_last", "Top-5, last epoch", &N::top5_last, share_of, V::points, nothing},
      {"top1_best", "Top-1, best epoch", &N::top1_best, share_of, V::points, best_remark},
      {"params", "Parameters", &N::params, count, V::share, nothing},
      {"macs_per_image", "MACs per image", &N::macs_per_image, with_unit("MACs"), V::share, nothing},
      {"flops_per_image", "FLOPs per image", &N::flops_per_image, with_unit("FLOPs"), V::share, nothing},
      {"weight_bytes", "Weights", &N::weight_bytes, bytes, V::share, nothing},
      {"training_flops", "Training FLOPs, search included", &N::training_flops, with_unit("FLOPs"), V::share,
       nothing},
      {"seconds", "Training time, search included", &N::seconds, time_of, V::share, note(&N::seconds_note)},
      {"images_per_s", "Training images per second", &N::images_per_s, count, V::share, nothing},
      {"peak_memory_bytes", "Peak memory", &N::peak_memory_bytes, bytes, V::share, nothing},
      {"joules", "Energy", &N::joules, energy, V::share, note(&N::energy_method)}};
  return all;
}

static std::string versus(const Measure& m, const NetworkReport& network, const NetworkReport& dense) {
  const Number ours = m.of(network), theirs = m.of(dense);
  if (m.versus == Measure::Versus::nothing || !ours || !theirs) return "";
  if (m.versus == Measure::Versus::share) {
    const Number s = share(ours, theirs);
    return s ? decimal(s, 2) + " of dense" : "";
  }
  if (dense.top1_note) return "";  // dense of another epoch: no fair difference
  const double points = 100 * (*ours - *theirs);
  return (points < 0 ? "−" : "+") + fmt::format("{:.2f}", std::abs(points)) + " points";
}

static std::string small(const std::string& css, const std::string& html) {
  return html.empty() ? "" : "<small class=\"" + css + "\">" + html + "</small>";
}

static std::string measure_row(const Measure& m, const Networks& networks) {
  std::string out = fmt::format("<tr data-row=\"{}\"><th scope=\"row\">{}</th>", m.id, m.name);
  for (size_t i = 0; i < networks.size(); ++i)
    out += "<td><span class=\"value\">" + m.format(m.of(networks[i])) + "</span>" +
           small("versus", i > 0 ? versus(m, networks[i], networks[0]) : "") +
           small("remark", m.remark(networks[i])) + "</td>";
  return out + "</tr>\n";
}

static std::string speedup_row(const RunReport& run, const char* id, const char* name, Number speedup) {
  const Networks& networks = run.networks;
  std::string out = fmt::format("<tr data-row=\"{}\"><th scope=\"row\">{}</th>", id, name);
  for (size_t i = 0; i < networks.size(); ++i) {
    const std::string cell = i == 0                           ? times(1)
                             : &networks[i] == ticket_of(run) ? times(speedup)
                                                              : "<span class=\"none\">as the ticket</span>";
    out += "<td><span class=\"value\">" + cell + "</span></td>";
  }
  return out + "</tr>\n";
}

static std::string head(const Networks& networks) {
  std::string out = "<thead><tr><th scope=\"col\">Measure</th>";
  for (const NetworkReport& n : networks) out += "<th scope=\"col\">" + shortened(n.label, 40) + "</th>";
  return out + "</tr></thead>\n";
}

std::string headline_table(const RunPage& page) {
  const Networks& networks = page.run.networks;
  if (networks.empty())
    return section(page, "result", "Result", "<p class=\"empty\">No network has been measured yet.</p>");
  std::string rows;
  for (const Measure& m : measures()) rows += measure_row(m, networks);
  if (ticket_of(page.run)) {
    const auto speedup = page.run.speedup.value_or(engine::SpeedupRecord{});
    rows += speedup_row(page.run, "speedup_counted", "Speed-up of a step, counted in FLOPs", speedup.counted);
    rows += speedup_row(page.run, "speedup_measured", "Speed-up of a step, measured", speedup.measured);
  }
  const std::string table =
      "<table class=\"headline\">" + head(networks) + "<tbody>" + rows + "</tbody></table>";
  return section(
      page, "result", "Result",
      table_box("Result", table) +
          "<p class=\"note\">A MAC is one multiplication with one addition. FLOPs = 2&nbsp;×&nbsp;MACs of "
          "convolutions and linear layers plus batch norms, activations and pools. Training FLOPs and "
          "training time of a ticket include the search for it.</p>");
}

}  // namespace eb::tools::page
