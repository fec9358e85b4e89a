// Where time, energy and memory went, phase by phase.
#include <fmt/format.h>

#include "tools/plot/html_text.h"
#include "tools/plot/svg_bars.h"
#include "tools/record/numbers.h"
#include "tools/report/page/page.h"

namespace eb::tools::page {

using Phases = std::vector<PhaseReport>;

namespace {

struct Part {
  Number PhaseSeconds::*seconds;
  const char* name;
};

}  // namespace

using S = PhaseSeconds;
static const std::vector<Part> parts = {{&S::forward, "forward"},        {&S::backward, "backward"},
                                        {&S::optimizer, "optimizer"},    {&S::data_wait, "waiting for data"},
                                        {&S::early_bird, "masks"},       {&S::evaluation, "evaluation"},
                                        {&S::checkpoint, "checkpoints"}, {&S::other, "other"}};

static Number sum(const PhaseSeconds& seconds) {
  Number all;
  for (const Part& p : parts)
    if (const Number s = seconds.*p.seconds) all = all.value_or(0) + *s;
  return all;
}

static std::string phase_heads(const Phases& phases) {
  std::string out;
  for (const PhaseReport& p : phases) out += "<th scope=\"col\">" + shortened(phase_name(p), 24) + "</th>";
  return out;
}

// One row: what `cell` says of each phase.
template <typename Cell>
static std::string row(const std::string& name, const Phases& phases, const Cell& cell) {
  std::string out = "<tr><th scope=\"row\">" + name + "</th>";
  for (const PhaseReport& p : phases) out += "<td>" + cell(p) + "</td>";
  return out + "</tr>\n";
}

static std::string energy_cell(const PhaseReport& p) {
  return energy(p.joules) +
         (p.energy_method ? "<small class=\"remark\">" + shortened(*p.energy_method) + "</small>" : "");
}

static std::string time_rows(const Phases& phases) {
  std::string out;
  for (const Part& part : parts)
    out += row(part.name, phases, [&](const PhaseReport& p) { return duration(p.seconds.*part.seconds); });
  return out +
         row("<strong>sum</strong>", phases, [](const PhaseReport& p) { return duration(sum(p.seconds)); }) +
         row("energy", phases, energy_cell);
}

static std::string work_rows(const Phases& phases) {
  using P = PhaseReport;
  using B = engine::PhaseFormat::Bytes;
  const auto counted = [](auto P::*number) { return [=](const P& p) { return count(p.*number); }; };
  const auto in_bytes = [](Count B::*number) { return [=](const P& p) { return bytes(p.bytes.*number); }; };
  return row("images per second", phases, counted(&P::images_per_s)) +
         row("steps", phases, counted(&P::steps)) + row("images", phases, counted(&P::samples)) +
         row("parameters", phases, counted(&P::params)) +
         row("FLOPs per image", phases, [](const P& p) { return metric(p.flops_per_image, "FLOPs"); }) +
         row("arithmetic", phases, [](const P& p) { return shortened(p.precision.value_or("")); }) +
         row("bytes of weights", phases, in_bytes(&B::weights)) +
         row("bytes of gradients", phases, in_bytes(&B::gradients)) +
         row("bytes of momentum", phases, in_bytes(&B::momentum)) +
         row("bytes of activations", phases, in_bytes(&B::activations));
}

static std::string time_bars(const Phases& phases) {
  std::vector<std::string> names;
  for (const Part& p : parts) names.push_back(p.name);
  std::vector<StackedBar> bars;
  for (const PhaseReport& phase : phases) {
    StackedBar bar{phase_name(phase), {}};
    for (const Part& p : parts) bar.parts.push_back(phase.seconds.*p.seconds);
    bars.push_back(std::move(bar));
  }
  return stacked_bars("Seconds of each phase by what they were spent on", names, bars);
}

static std::string phase_table(const char* name, const Phases& phases, const std::string& rows) {
  return table_box(name,
                   fmt::format("<table class=\"phases\"><thead><tr><th scope=\"col\">{}</th>{}</tr></thead>"
                               "<tbody>{}</tbody></table>",
                               name, phase_heads(phases), rows));
}

std::string time_section(const RunPage& page) {
  const Phases& phases = page.run.phases;
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
