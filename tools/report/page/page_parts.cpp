#include <fmt/format.h>

#include <cmath>

#include "engine/base/phase.h"
#include "tools/plot/html_text.h"
#include "tools/report/page/page.h"

namespace eb::tools::page {

using nlohmann::json;

std::string section(const RunPage& page, const char* id, const std::string& title, const std::string& body) {
  return fmt::format("<section id=\"{0}-{1}\"><h{2}>{3}</h{2}>{4}</section>\n", page.id, id, page.heading,
                     title, body);
}

std::string figure(const std::string& title, const std::string& picture, const std::string& how_to_read) {
  if (picture.empty()) return "";
  return "<figure><p class=\"figure-title\">" + title + "</p>" + picture + "<figcaption>" + how_to_read +
         "</figcaption></figure>\n";
}

std::string table_box(const std::string& name, const std::string& table, bool tall) {
  return fmt::format("<div class=\"box{}\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">{}</div>\n",
                     tall ? " tall" : "", escape_html(name), table);
}

const json& dense_of(const json& run) {
  static const json nothing;
  const json& networks = list(run, "networks");
  return networks.empty() ? nothing : networks[0];
}

const json& ticket_of(const json& run) {
  static const json nothing;
  const json& networks = list(run, "networks");
  for (size_t i = 1; i < networks.size(); ++i)
    if (number(networks[i], "ratio")) return networks[i];
  return nothing;
}

static bool contains(const std::vector<PhaseChange>& changes, double epoch) {
  for (const PhaseChange& c : changes)
    if (std::abs(c.epoch - epoch) < 0.5) return true;
  return false;
}

std::vector<PhaseChange> phase_changes(const json& run) {
  std::vector<PhaseChange> changes;
  const json& phases = list(run, "phases");
  for (size_t i = 1; i < phases.size(); ++i)
    if (const Number start = number(phases[i], "start_epoch"))
      changes.push_back({*start, text(phases[i], "name")});
  const Number drawn = number(value(value(run, "early_bird"), "draw"), "epoch");
  if (drawn && !contains(changes, *drawn)) changes.push_back({*drawn, "ticket drawn"});
  for (PhaseChange& c : changes)
    if (drawn && c.name == name_of(engine::Phase::retrain) && std::abs(c.epoch - *drawn) < 0.5)
      c.name = "drawn, retrained from here";
  return changes;
}

}  // namespace eb::tools::page
