// The headline table: measures as rows, networks as columns.
#include <fmt/format.h>

#include <cmath>
#include <functional>

#include "tools/plot/html_text.h"
#include "tools/record/numbers.h"
#include "tools/report/page/page.h"

namespace eb::tools::page {

using nlohmann::json;

namespace {

struct Measure {
  const char* key;   // in a network of report.json
  const char* name;  // HTML
  std::function<std::string(Number)> format;
  enum class Versus : uint8_t { nothing, share, points } versus;
  const char* note = nullptr;  // key of a remark
};

}  // namespace

static std::function<std::string(Number)> with_unit(const char* unit) {
  return [unit](Number n) { return metric(n, unit); };
}

static const std::vector<Measure>& measures() {
  using V = Measure::Versus;
  const auto share_of = [](Number n) { return percent(n); };
  const auto time_of = [](Number n) { return duration(n); };
  static const std::vector<Measure> all = {
      {"top1_last", "Top-1, last epoch", share_of, V::points, "top1_note"},
      {"top5_last", "Top-5, last epoch", share_of, V::points, nullptr},
      {"top1_best", "Top-1, best epoch", share_of, V::points, nullptr},
      {"params", "Parameters", count, V::share, nullptr},
      {"macs_per_image", "MACs per image", with_unit("MACs"), V::share, nullptr},
      {"flops_per_image", "FLOPs per image", with_unit("FLOPs"), V::share, nullptr},
      {"weight_bytes", "Weights", bytes, V::share, nullptr},
      {"training_flops", "Training FLOPs, search included", with_unit("FLOPs"), V::share, nullptr},
      {"seconds", "Training time, search included", time_of, V::share, "seconds_note"},
      {"images_per_s", "Training images per second", count, V::share, nullptr},
      {"peak_memory_bytes", "Peak memory", bytes, V::share, nullptr},
      {"joules", "Energy", energy, V::share, "energy_method"}};
  return all;
}

static std::string versus(const Measure& m, const json& network, const json& dense) {
  const Number ours = number(network, m.key), theirs = number(dense, m.key);
  if (m.versus == Measure::Versus::nothing || !ours || !theirs) return "";
  if (m.versus == Measure::Versus::share) {
    const Number s = share(ours, theirs);
    return s ? decimal(s, 2) + " of dense" : "";
  }
  if (!text(dense, "top1_note").empty()) return "";  // dense of another epoch: no fair difference
  const double points = 100 * (*ours - *theirs);
  return (points < 0 ? "−" : "+") + fmt::format("{:.2f}", std::abs(points)) + " points";
}

// What stands small below a value: best epoch and how it was picked, remarks, the comparison with dense.
static std::string remarks(const Measure& m, const json& network) {
  std::string out;
  if (std::string(m.key) == "top1_best" && number(network, m.key)) {
    const Number epoch = number(network, "best_epoch");
    const std::string rule = text(network, "best_rule");
    out = (epoch ? "epoch " + count(epoch) : "") + (epoch && !rule.empty() ? ", " : "") +
          (rule.empty() ? "" : "picked " + shortened(rule));
  }
  if (m.note) out += shortened(text(network, m.note), 90);
  return out;
}

static std::string small(const std::string& css, const std::string& html) {
  return html.empty() ? "" : "<small class=\"" + css + "\">" + html + "</small>";
}

static std::string measure_row(const Measure& m, const json& networks) {
  std::string out = fmt::format("<tr data-row=\"{}\"><th scope=\"row\">{}</th>", m.key, m.name);
  for (size_t i = 0; i < networks.size(); ++i)
    out += "<td><span class=\"value\">" + m.format(number(networks[i], m.key)) + "</span>" +
           small("versus", i > 0 ? versus(m, networks[i], networks[0]) : "") +
           small("remark", remarks(m, networks[i])) + "</td>";
  return out + "</tr>\n";
}

static std::string speedup_row(const json& run, const char* key, const char* name) {
  const json &networks = list(run, "networks"), &ticket = ticket_of(run);
  std::string out = fmt::format("<tr data-row=\"speedup_{}\"><th scope=\"row\">{}</th>", key, name);
  for (size_t i = 0; i < networks.size(); ++i) {
    const std::string cell = i == 0                    ? times(1)
                             : &networks[i] == &ticket ? times(number(value(run, "speedup"), key))
                                                       : "<span class=\"none\">as the ticket</span>";
    out += "<td><span class=\"value\">" + cell + "</span></td>";
  }
  return out + "</tr>\n";
}

static std::string head(const json& networks) {
  std::string out = "<thead><tr><th scope=\"col\">Measure</th>";
  for (const json& n : networks) out += "<th scope=\"col\">" + shortened(text(n, "label"), 40) + "</th>";
  return out + "</tr></thead>\n";
}

std::string headline_table(const RunPage& page) {
  const json& networks = list(page.run, "networks");
  if (networks.empty())
    return section(page, "result", "Result", "<p class=\"empty\">No network has been measured yet.</p>");
  std::string rows;
  for (const Measure& m : measures()) rows += measure_row(m, networks);
  if (ticket_of(page.run).is_object()) {
    rows += speedup_row(page.run, "counted", "Speed-up of a step, counted in FLOPs");
    rows += speedup_row(page.run, "measured", "Speed-up of a step, measured");
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
