#include "tools/report/page/html.h"

#include <fmt/format.h>

#include "tools/plot/html_text.h"
#include "tools/record/numbers.h"
#include "tools/report/page/page.h"
#include "tools/report/page/style.h"

namespace eb::tools::page {

static std::string title_of(const RunReport& run) {
  return run.name.empty() ? "Unnamed run" : run.name;
}

static std::string warnings(const RunReport& run) {
  std::string items;
  for (const std::string& w : run.warnings) items += "<li>" + shortened(w, 300) + "</li>";
  if (items.empty()) return "";
  return "<aside class=\"warnings\" aria-label=\"Warnings\"><p><strong>Before you trust the "
         "numbers</strong></p><ul>" +
         items + "</ul></aside>";
}

static std::string tile(const std::string& value, const std::string& name) {
  return "<div><dt>" + name + "</dt><dd>" + value + "</dd></div>";
}

// The few numbers that somebody came for.
static std::string tiles(const RunReport& run) {
  const NetworkReport& dense = dense_of(run);
  const NetworkReport* ticket = ticket_of(run);
  if (!ticket) return "";
  std::string out;
  if (const Number epoch = draw_epoch(run))
    out += tile(
        epochs(*epoch) + (run.epochs_planned ? " <span>of " + count(run.epochs_planned) + "</span>" : ""),
        "epoch of the ticket");
  if (const Number s = share(ticket->params, dense.params)) out += tile(percent(s, 0), "of the parameters");
  if (const Number s = share(ticket->training_flops, dense.training_flops))
    out += tile(decimal(s, 2), "of the training FLOPs");
  if (const Number s = run.speedup ? run.speedup->measured : std::nullopt)
    out += tile(times(s), "speed of a step, measured");
  return out.empty() ? "" : "<dl class=\"tiles\">" + out + "</dl>";
}

static std::string contents(const RunPage& page) {
  std::string out;
  const std::pair<const char*, const char*> links[] = {
      {"result", "Result"}, {"early-bird", "Early Bird"}, {"channels", "Channels"}, {"training", "Training"},
      {"time", "Time"},     {"background", "Background"}};
  for (const auto& [id, name] : links) out += fmt::format("<a href=\"#{}-{}\">{}</a>", page.id, id, name);
  return "<nav aria-label=\"Sections of " + page.id + "\">" + out + "</nav>\n";
}

static std::string run_body(const RunPage& page) {
  return "<p class=\"lead\">" + headline_sentence(page.run) + "</p>" + tiles(page.run) + warnings(page.run) +
         contents(page) + headline_table(page) + early_bird_section(page) + layers_section(page) +
         training_section(page) + time_section(page) + background_section(page);
}

static std::string several_runs(const Report& report) {
  const std::vector<RunReport>& runs = report.runs;
  std::string out = comparison_section(report);
  for (size_t i = 0; i < runs.size(); ++i) {
    const RunPage page{runs[i], "run-" + std::to_string(i + 1), 3};
    const Number seed = runs[i].seed;
    out += fmt::format("<details id=\"{}\"><summary><h2>Run {}: {}{}</h2></summary>{}</details>\n", page.id,
                       i + 1, shortened(title_of(runs[i])), seed ? ", seed " + brief(*seed) : "",
                       run_body(page));
  }
  return out;
}

static std::string head(const std::string& title) {
  return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
         "style-src 'unsafe-inline'\">"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
         "<meta name=\"color-scheme\" content=\"light dark\"><title>" +
         escape_html(title) + "</title><style>" + page_style + "</style></head>\n";
}

// "2026-11-21T14:00:00Z" for a person.
static std::string date(const std::string& when) {
  if (when.size() != 20 || when[10] != 'T') return shortened(when, 30);
  return escape_html(when.substr(0, 10) + ", " + when.substr(11, 5) + " UTC");
}

static std::string heading(const Report& report) {
  const std::vector<RunReport>& runs = report.runs;
  const std::string& when = report.generated;
  const std::string title = runs.size() == 1 ? shortened(title_of(runs[0]), 80)
                            : runs.empty()   ? "No run"
                                             : count(static_cast<double>(runs.size())) + " runs compared";
  return "<header><p class=\"eyebrow\">eb_engine report" + (when.empty() ? "" : " · " + date(when)) +
         "</p><h1>" + title + "</h1></header>\n";
}

static std::string whole_page(const Report& report) {
  const std::vector<RunReport>& runs = report.runs;
  const std::string title =
      runs.size() == 1 ? shorten(title_of(runs[0]), 60) : std::to_string(runs.size()) + " runs";
  const std::string body = runs.empty()       ? "<p class=\"lead\">There is no run in this report.</p>"
                           : runs.size() == 1 ? run_body({runs[0], "run-1", 2})
                                              : several_runs(report);
  const std::string& version = report.eb_engine;
  return head(title + " · eb_engine") + "<body><main>" + heading(report) + body +
         "</main><footer><p>Made by eb_engine" + (version.empty() ? "" : " " + shortened(version)) +
         " from report.json, which holds every number of this page.</p></footer></body></html>\n";
}

}  // namespace eb::tools::page

std::string eb::tools::report_html(const Report& report) {
  return page::whole_page(report);
}
