#include "tools/report/page/html.h"

#include <fmt/format.h>

#include "tools/plot/html_text.h"
#include "tools/record/numbers.h"
#include "tools/report/page/page.h"
#include "tools/report/page/style.h"

namespace eb::tools::page {

using nlohmann::json;

static std::string name_of(const json& run) {
  const std::string name = text(run, "name");
  return name.empty() ? "Unnamed run" : name;
}

static std::string warnings(const json& run) {
  std::string items;
  for (const json& w : list(run, "warnings"))
    if (w.is_string()) items += "<li>" + shortened(w.get<std::string>(), 300) + "</li>";
  if (items.empty()) return "";
  return "<aside class=\"warnings\" aria-label=\"Warnings\"><p><strong>Before you trust the "
         "numbers</strong></p><ul>" +
         items + "</ul></aside>";
}

static std::string tile(const std::string& value, const std::string& name) {
  return "<div><dt>" + name + "</dt><dd>" + value + "</dd></div>";
}

// The few numbers that somebody came for.
static std::string tiles(const json& run) {
  const json &dense = dense_of(run), &ticket = ticket_of(run),
             &draw = value(value(run, "early_bird"), "draw");
  if (!ticket.is_object()) return "";
  std::string out;
  if (const Number epoch = number(draw, "epoch")) {
    const Number planned = number(run, "epochs_planned");
    out += tile(count(epoch) + (planned ? " <span>of " + count(planned) + "</span>" : ""),
                "epoch of the ticket");
  }
  if (const Number s = share(number(ticket, "params"), number(dense, "params")))
    out += tile(percent(s, 0), "of the parameters");
  if (const Number s = share(number(ticket, "training_flops"), number(dense, "training_flops")))
    out += tile(decimal(s, 2), "of the training FLOPs");
  if (const Number s = number(value(run, "speedup"), "measured"))
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

static std::string several_runs(const json& report, const json& runs) {
  std::string out = comparison_section(report);
  for (size_t i = 0; i < runs.size(); ++i) {
    const RunPage page{runs[i], "run-" + std::to_string(i + 1), 3};
    const Number seed = number(runs[i], "seed");
    out +=
        fmt::format("<details id=\"{}\"><summary><h2>Run {}: {}{}</h2></summary>{}</details>\n", page.id,
                    i + 1, shortened(name_of(runs[i])), seed ? ", seed " + brief(*seed) : "", run_body(page));
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

static std::string heading(const json& report, const json& runs) {
  const std::string when = text(report, "generated");
  const std::string title = runs.size() == 1 ? shortened(name_of(runs[0]), 80)
                            : runs.empty()   ? "No run"
                                             : count(static_cast<double>(runs.size())) + " runs compared";
  return "<header><p class=\"eyebrow\">eb_engine report" + (when.empty() ? "" : " · " + date(when)) +
         "</p><h1>" + title + "</h1></header>\n";
}

static std::string whole_page(const json& report) {
  const json& runs = list(report, "runs");
  const std::string title =
      runs.size() == 1 ? shorten(name_of(runs[0]), 60) : std::to_string(runs.size()) + " runs";
  const std::string body = runs.empty()       ? "<p class=\"lead\">There is no run in this report.</p>"
                           : runs.size() == 1 ? run_body({runs[0], "run-1", 2})
                                              : several_runs(report, runs);
  const std::string version = text(report, "eb_engine");
  return head(title + " · eb_engine") + "<body><main>" + heading(report, runs) + body +
         "</main><footer><p>Made by eb_engine" + (version.empty() ? "" : " " + shortened(version)) +
         " from report.json, which holds every number of this page.</p></footer></body></html>\n";
}

}  // namespace eb::tools::page

std::string eb::tools::report_html(const nlohmann::json& report) {
  return page::whole_page(report);
}
