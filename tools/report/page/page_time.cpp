// Where time, energy and memory went, phase by phase.
#include <fmt/format.h>

#include "tools/plot/html_text.h"
#include "tools/plot/svg_bars.h"
#include "tools/record/numbers.h"
#include "tools/report/page/page.h"

namespace eb::tools::page {

using nlohmann::json;

namespace {

struct Part {
  const char* key;
  const char* name;
};

}  // namespace

static const std::vector<Part> parts = {{"forward", "forward"},        {"backward", "backward"},
                                        {"optimizer", "optimizer"},    {"data_wait", "waiting for data"},
                                        {"early_bird", "masks"},       {"evaluation", "evaluation"},
                                        {"checkpoint", "checkpoints"}, {"other", "other"}};

static Number sum(const json& seconds) {
  Number all;
  for (const Part& p : parts)
    if (const Number s = number(seconds, p.key)) all = all.value_or(0) + *s;
  return all;
}

static std::string phase_heads(const json& phases) {
  std::string out;
  for (const json& p : phases) out += "<th scope=\"col\">" + shortened(text(p, "name"), 24) + "</th>";
  return out;
}

// One row: what `cell` says of each phase.
template <typename Cell>
static std::string row(const std::string& name, const json& phases, const Cell& cell) {
  std::string out = "<tr><th scope=\"row\">" + name + "</th>";
  for (const json& p : phases) out += "<td>" + cell(p) + "</td>";
  return out + "</tr>\n";
}

static std::string energy_cell(const json& p) {
  const std::string method = text(p, "energy_method");
  return energy(number(p, "joules")) +
         (method.empty() ? "" : "<small class=\"remark\">" + shortened(method) + "</small>");
}

static std::string time_rows(const json& phases) {
  std::string out;
  for (const Part& part : parts)
    out += row(part.name, phases,
               [&](const json& p) { return duration(number(value(p, "seconds"), part.key)); });
  return out +
         row("<strong>sum</strong>", phases,
             [](const json& p) { return duration(sum(value(p, "seconds"))); }) +
         row("energy", phases, energy_cell);
}

static std::string work_rows(const json& phases) {
  const auto counted = [](const char* key) { return [key](const json& p) { return count(number(p, key)); }; };
  const auto in_bytes = [](const char* key) {
    return [key](const json& p) { return bytes(number(value(p, "bytes"), key)); };
  };
  return row("images per second", phases, counted("images_per_s")) + row("steps", phases, counted("steps")) +
         row("images", phases, counted("samples")) + row("parameters", phases, counted("params")) +
         row("FLOPs per image", phases,
             [](const json& p) { return metric(number(p, "flops_per_image"), "FLOPs"); }) +
         row("arithmetic", phases, [](const json& p) { return shortened(text(p, "precision")); }) +
         row("bytes of weights", phases, in_bytes("weights")) +
         row("bytes of gradients", phases, in_bytes("gradients")) +
         row("bytes of momentum", phases, in_bytes("momentum")) +
         row("bytes of activations", phases, in_bytes("activations"));
}

static std::string time_bars(const json& phases) {
  std::vector<std::string> names;
  for (const Part& p : parts) names.push_back(p.name);
  std::vector<StackedBar> bars;
  for (const json& phase : phases) {
    StackedBar bar{text(phase, "name"), {}};
    for (const Part& p : parts) bar.parts.push_back(number(value(phase, "seconds"), p.key));
    bars.push_back(std::move(bar));
  }
  return stacked_bars("Seconds of each phase by what they were spent on", names, bars);
}

static std::string phase_table(const char* name, const json& phases, const std::string& rows) {
  return table_box(name,
                   fmt::format("<table class=\"phases\"><thead><tr><th scope=\"col\">{}</th>{}</tr></thead>"
                               "<tbody>{}</tbody></table>",
                               name, phase_heads(phases), rows));
}

std::string time_section(const RunPage& page) {
  const json& phases = list(page.run, "phases");
  if (phases.empty())
    return section(page, "time", "Time and energy",
                   "<p class=\"empty\">Time was not measured: no phase is complete.</p>");
  const std::string bars = time_bars(phases);
  const std::string picture =
      bars.empty()
          ? "<p class=\"empty\">The seconds of the phases were not measured.</p>"
          : figure(
                "Seconds by phase", bars,
                "One bar for each phase of the run. Forward, backward and optimizer are the training itself; "
                "the rest is what surrounds it. What was not measured is missing from the bar.");
  return section(page, "time", "Where the time went",
                 "<div class=\"columns\"><div>" + picture +
                     phase_table("What each phase was", phases, work_rows(phases)) + "</div><div>" +
                     phase_table("Time of each phase", phases, time_rows(phases)) + "</div></div>");
}

}  // namespace eb::tools::page
