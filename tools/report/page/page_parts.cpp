#include <fmt/format.h>

#include <cmath>

#include "engine/base/phase.h"
#include "tools/plot/html_text.h"
#include "tools/report/page/page.h"

namespace eb::tools::page {

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

const NetworkReport& dense_of(const RunReport& run) {
  static const NetworkReport none;
  return run.networks.empty() ? none : run.networks[0];
}

const NetworkReport* ticket_of(const RunReport& run) {
  for (size_t i = 1; i < run.networks.size(); ++i)
    if (run.networks[i].ratio) return &run.networks[i];
  return nullptr;
}

Number draw_epoch(const RunReport& run) {
  const auto at = run.early_bird ? run.early_bird->draw_epoch : std::nullopt;
  if (at) return at->value;
  return run.early_bird && run.early_bird->draw ? Number(run.early_bird->draw->epoch) : std::nullopt;
}

static bool contains(const std::vector<PhaseChange>& changes, double epoch) {
  for (const PhaseChange& c : changes)
    if (std::abs(c.epoch - epoch) < 0.5) return true;
  return false;
}

std::string phase_name(const PhaseReport& phase) {
  return phase.name ? std::string(engine::name_of(*phase.name)) : "";
}

std::vector<PhaseChange> phase_changes(const RunReport& run) {
  std::vector<PhaseChange> changes;
  for (size_t i = 1; i < run.phases.size(); ++i)
    if (const auto& start = run.phases[i].start_epoch)
      changes.push_back({start->value, phase_name(run.phases[i])});
  const Number drawn = draw_epoch(run);
  if (drawn && !contains(changes, *drawn)) changes.push_back({*drawn, "ticket drawn"});
  for (PhaseChange& c : changes)
    if (drawn && c.name == engine::name_of(engine::Phase::retrain) && std::abs(c.epoch - *drawn) < 0.5)
      c.name = "drawn, retrained from here";
  return changes;
}

}  // namespace eb::tools::page
