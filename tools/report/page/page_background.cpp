// What a reader needs to trust the numbers and to repeat the run.
#include <fmt/format.h>

#include "tools/plot/html_text.h"
#include "tools/record/numbers.h"
#include "tools/report/page/page.h"

namespace eb::tools::page {

static std::string subheading(const RunPage& page, const char* title) {
  return fmt::format("<h{0}>{1}</h{0}>", page.heading + 1, title);
}

static std::string equivalence(const RunPage& page) {
  const std::string title = subheading(page, "The compact network against the masked one");
  const Number difference = page.run.equivalence ? page.run.equivalence->max_abs_difference : std::nullopt;
  if (!difference)
    return title + "<p>Their outputs were " + not_measured() + " against each other in this run.</p>";
  return title +
         fmt::format(
             "<p>Before training went on, both saw the same images: the largest difference of an output is "
             "<strong data-value=\"equivalence\">{:.3g}</strong>. Cutting the channels out therefore "
             "changed nothing but the cost, up to rounding.</p>",
             *difference);
}

static std::string environment(const RunPage& page) {
  std::string rows;
  for (const EnvironmentEntry& e : page.run.environment)
    rows += "<tr><th scope=\"row\">" + shortened(e.key, 40) + "</th><td>" +
            (e.value.is_string() ? shortened(e.value.get<std::string>(), 120) : json_text(e.value)) +
            "</td></tr>\n";
  if (rows.empty()) return "";
  return subheading(page, "Environment") +
         table_box("Environment",
                   "<table class=\"words\"><thead><tr><th scope=\"col\">What</th><th "
                   "scope=\"col\">Value</th></tr></thead><tbody>" +
                       rows + "</tbody></table>");
}

static std::string config(const RunPage& page) {
  std::string rows;
  for (const ConfigChange& c : page.run.config_changes)
    rows += "<tr><th scope=\"row\"><code>" + shortened(c.key, 60) + "</code></th><td><code>" +
            json_text(c.value) + "</code></td><td><code>" + json_text(c.default_value) +
            "</code></td></tr>\n";
  const std::string title = subheading(page, "Configuration, where it differs from the defaults");
  if (rows.empty()) return title + "<p>Nowhere.</p>";
  return title + table_box("Configuration",
                           "<table class=\"words\"><thead><tr><th scope=\"col\">Key</th><th "
                           "scope=\"col\">This run</th><th scope=\"col\">Default</th></tr></thead><tbody>" +
                               rows + "</tbody></table>");
}

static std::string commands(const RunPage& page) {
  std::string lines;
  for (const std::string& c : page.run.command_lines)
    lines += "<li><code>" + shortened(c, 1000) + "</code></li>";
  if (lines.empty()) return "";
  return subheading(page, "Command lines") + "<ol class=\"commands\">" + lines + "</ol>";
}

static std::string bad_samples(const RunPage& page) {
  if (!page.run.bad_samples || page.run.bad_samples->empty()) return "";
  std::string lines;
  for (const std::string& sample : *page.run.bad_samples)
    lines += "<li><code>" + shortened(sample, 200) + "</code></li>";
  return subheading(page, "Samples that could not be read, and were replaced by others") +
         "<ol class=\"commands\">" + lines + "</ol>";
}

static std::string facts(const RunPage& page) {
  const RunReport& run = page.run;
  const Number seed = run.seed;
  const std::string version = run.eb_engine.value_or("");
  return "<p class=\"note\">Run directory <code>" + shortened(run.path, 100) + "</code>, seed " +
         (seed ? brief(*seed) : not_measured()) + ", made by eb_engine " +
         (version.empty() ? "of unknown version" : shortened(version)) + ".</p>";
}

std::string background_section(const RunPage& page) {
  return section(page, "background", "Background",
                 facts(page) + equivalence(page) + "<div class=\"columns\"><div>" + config(page) +
                     "</div><div>" + environment(page) + "</div></div>" + bad_samples(page) + commands(page));
}

}  // namespace eb::tools::page
