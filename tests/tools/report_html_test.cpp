// The page of a report.json: text that others wrote, numbers, runs that hold little, and its limits.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>

#include "support/report_page.h"
#include "tools/plot/html_text.h"
#include "tools/plot/svg_axis.h"
#include "tools/record/numbers.h"

namespace page = eb::tools::page;
using eb::test::report_html;
using nlohmann::json;

static size_t occurrences(const std::string& text, const std::string& of) {
  size_t n = 0;
  for (size_t at = text.find(of); at != std::string::npos; at = text.find(of, at + of.size())) ++n;
  return n;
}

static bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Masks of `bits` channels, of which 40 / (i + 1) change from one to the next.
static json ratio_of(double p, const char* name, int masks, json emerged) {
  json differing = json::array(), epochs = json::array(), checks = json::array();
  for (int i = 0; i < masks; ++i) {
    epochs.push_back(i + 1);
    checks.push_back({{"epoch", i + 1}, {"distance", i == 0 ? json() : json(0.4 / i)}});
    for (int j = 0; j < masks; ++j) differing.push_back(std::abs(i - j) * 40 / (std::max(i, j) + 1));
  }
  return {{"ratio", p},
          {"name", name},
          {"bits", 200},
          {"kept", 100},
          {"emerged_epoch", emerged},
          {"epochs", epochs},
          {"differing", differing},
          {"window_distance", checks}};
}

static json network(const char* label, json ratio, double top1, int params) {
  return {{"label", label},
          {"ratio", ratio},
          {"top1_last", top1},
          {"params", params},
          {"training_flops", params * 1e9}};
}

static json run_of(int epochs, int layers) {
  json run = {{"name", "small"},
              {"path", "runs/small"},
              {"seed", 1},
              {"state", "finished"},
              {"epochs_done", epochs},
              {"epochs_planned", epochs},
              {"warnings", {"one warning"}}};
  run["networks"] = {network("dense", nullptr, 0.847, 1000), network("ticket p=0.5", 0.5, 0.839, 220)};
  for (int e = 1; e <= epochs; ++e)
    run["epochs"].push_back(
        {{"epoch", e}, {"train_loss", 2.0 / e}, {"test_top1", 1 - 1.0 / (e + 1)}, {"lr", 0.1}});
  run["early_bird"] = {{"threshold", 0.1}, {"window", 5}, {"compare", "newest_vs_window"}};
  run["early_bird"]["draw"] = {{"ratio", 0.5}, {"epoch", epochs}, {"found_by", "detector"}};
  run["early_bird"]["ratios"] = {ratio_of(0.3, "p30", epochs, nullptr), ratio_of(0.5, "p50", epochs, epochs),
                                 ratio_of(0.7, "p70", epochs, nullptr)};
  for (int i = 0; i < layers; ++i)
    run["layers"].push_back({{"id", "layer" + std::to_string(i) + ".bn"},
                             {"kept", i % 65},
                             {"total", 64},
                             {"group", i % 3 == 0 ? json(i / 9) : json()},
                             {"held_up", i % 7 == 0}});
  return run;
}

static json report_of(json run) {
  return {{"eb_report", 1},
          {"eb_engine", "0.1.0"},
          {"generated", "2026-01-01T00:00:00Z"},
          {"runs", json::array({run})},
          {"comparison", nullptr}};
}

TEST(ReportHtmlText, shortens_and_keeps_the_whole_in_the_title) {
  const std::string name(10000, 'x');
  const std::string html = page::shortened(name);
  EXPECT_TRUE(has(html, "title=\"" + name + "\""));
  EXPECT_TRUE(has(html, "…"));
  EXPECT_EQ(page::shortened("short <"), "short &lt;");
}

TEST(ReportHtmlText, base64_pads) {
  EXPECT_EQ(page::base64(""), "");
  EXPECT_EQ(page::base64("f"), "Zg==");
  EXPECT_EQ(page::base64("fo"), "Zm8=");
  EXPECT_EQ(page::base64("foo\xff"), "Zm9v/w==");
}

TEST(ReportNumbers, have_units_a_person_reads) {
  const std::string s = "\u00a0";
  EXPECT_EQ(page::count(923130), "923,130");
  EXPECT_EQ(page::count(0), "0");
  EXPECT_EQ(page::count(-1234), "−1,234");
  EXPECT_EQ(page::percent(0.8393), "83.93" + s + "%");
  EXPECT_EQ(page::metric(40053770, "FLOPs"), "40.1" + s + "MFLOPs");
  EXPECT_EQ(page::metric(999999, "FLOPs"), "1.00" + s + "MFLOPs");
  EXPECT_EQ(page::metric(2.4e14, "FLOPs"), "240" + s + "TFLOPs");
  EXPECT_EQ(page::bytes(3692520), "3.52" + s + "MiB");
  EXPECT_EQ(page::bytes(12), "12" + s + "B");
  EXPECT_EQ(page::duration(0.43), "0.43" + s + "s");
  EXPECT_EQ(page::duration(1265.4), "21" + s + "min 05" + s + "s");
  EXPECT_EQ(page::duration(7199.7), "2" + s + "h 00" + s + "min");
  EXPECT_EQ(page::energy(12345), "12,345" + s + "J (0.00343" + s + "kWh)");
  EXPECT_EQ(page::times(1.2811), "1.28×");
}

TEST(ReportNumbers, nothing_measured_is_never_zero) {
  for (const json& nothing : {json(), json("12"), json(NAN), json(INFINITY), json::array()}) {
    const page::Number n = page::number({{"x", nothing}}, "x");
    for (const auto& text : {page::count(n), page::percent(n), page::metric(n, "FLOPs"), page::bytes(n),
                             page::duration(n), page::energy(n), page::times(n)})
      EXPECT_TRUE(has(text, "not measured")) << nothing;
  }
}

TEST(ReportAxis, ticks_are_round_and_inside) {
  EXPECT_EQ(page::round_axis(0, 0.37, 5).ticks(5),
            (std::vector<double>{0, 0.1, 0.2, 0.30000000000000004, 0.4}));
  const auto same = page::round_axis(3, 3, 5);
  EXPECT_LT(same.low, 3);
  EXPECT_GT(same.high, 3);
  EXPECT_EQ(page::log_axis(0.001, 0.1).ticks(5).size(), 3u);
}

TEST(ReportHtml, headline_says_what_happened) {
  const std::string html = report_html(report_of(run_of(10, 13)));
  EXPECT_TRUE(has(
      html,
      "The p&nbsp;=&nbsp;0.5 ticket was found at epoch 10 of 10: 22\u00a0% of the parameters, 0.22 of the "
      "training FLOPs, 83.9\u00a0% top-1 against 84.7\u00a0% dense."));
}

TEST(ReportHtml, spells_the_rule_with_the_numbers_of_the_run) {
  const std::string html = report_html(report_of(run_of(10, 13)));
  EXPECT_TRUE(has(html, "<h2>Why epoch 10</h2>"));
  EXPECT_TRUE(has(html, "at most <strong>0.1</strong> (20 of 200 channels)"));
  EXPECT_TRUE(has(html, "from each of the 4 masks before it (a window of 5 masks)"));
  // Mask 6 against mask 10: 4 * 40 / 10 channels of 200.
  EXPECT_TRUE(
      has(html, "<th scope=\"row\">epoch 6</th><td>16</td><td>0.0800</td><td class=\"yes\">within</td>"));
  EXPECT_FALSE(has(html, "<th scope=\"row\">epoch 5<"));
}

TEST(ReportHtml, consecutive_masks_are_compared_with_their_neighbours) {
  json run = run_of(10, 1);
  run["early_bird"]["compare"] = "consecutive";
  const std::string html = report_html(report_of(run));
  EXPECT_TRUE(has(html, "each is at a distance of at most"));
  EXPECT_TRUE(has(html, "epochs 6 and 7</th><td>5<"));
  EXPECT_FALSE(has(html, "<th scope=\"row\">epoch 6<"));
}

TEST(ReportHtml, a_changed_mask_changes_the_picture) {
  json run = run_of(10, 1);
  const std::string before = report_html(report_of(run));
  run["early_bird"]["ratios"][1]["differing"][3] =
      run["early_bird"]["ratios"][1]["differing"][3].get<int>() + 1;
  EXPECT_NE(report_html(report_of(run)), before);
}

TEST(ReportHtml, says_so_where_there_is_nothing) {
  for (const json& report :
       {json(), json::object(), json(7), json{{"runs", nullptr}}, json{{"runs", json::array()}}})
    EXPECT_TRUE(has(report_html(report), "There is no run in this report."));
  const std::string html = report_html(
      report_of({{"name", nullptr}, {"epochs_done", 0}, {"epochs", json::array()}, {"early_bird", nullptr}}));
  EXPECT_TRUE(has(html, "No epoch of this run is complete"));
  EXPECT_TRUE(has(html, "This run did not look for a ticket."));
  EXPECT_TRUE(has(html, "Unnamed run"));
  EXPECT_FALSE(has(html, "<svg"));
}

TEST(ReportHtml, survives_nulls_everywhere) {
  const json full = run_of(6, 5);
  for (const auto& [key, unused] : full.items()) {
    json run = full;
    run[key] = nullptr;
    EXPECT_TRUE(has(report_html(report_of(run)), "</html>")) << key;
  }
  json flat = full.flatten();
  for (auto& [key, v] : flat.items()) v = nullptr;
  EXPECT_TRUE(has(report_html(report_of(flat.unflatten())), "not measured"));
}

TEST(ReportHtml, one_epoch_is_a_point) {
  const std::string html = report_html(report_of(run_of(1, 3)));
  EXPECT_TRUE(has(html, "There is one epoch so far"));
  EXPECT_TRUE(has(html, "class=\"dot s1\""));
  EXPECT_FALSE(std::regex_search(html, std::regex("[ \"M]-?(nan|inf)")));
}

TEST(ReportHtml, states_that_are_not_finished) {
  json run = run_of(5, 0);
  run["early_bird"]["draw"] = nullptr;
  run["epochs_planned"] = 40, run["state"] = "running";
  EXPECT_TRUE(has(report_html(report_of(run)), "The run is still going: 5 epochs of 40 done."));
  run["state"] = "failed", run["exit_code"] = 9;
  EXPECT_TRUE(has(report_html(report_of(run)), "exit code 9"));
}

TEST(ReportHtml, several_runs_come_folded_after_their_comparison) {
  json report = report_of(run_of(10, 5));
  report["runs"].push_back(run_of(8, 5));
  const json stat = {{"mean", 0.84}, {"std", 0.01}, {"n", 2}};
  report["comparison"] = {{"cost", "training_flops"},
                          {"rows",
                           {{{"label", "ticket"},
                             {"runs", {0, 1}},
                             {"seeds", {1, 2}},
                             {"top1", stat},
                             {"training_flops", {{"mean", 2e14}, {"std", nullptr}, {"n", 2}}}}}}};
  const std::string html = report_html(report);
  EXPECT_EQ(occurrences(html, "<details"), 2u);
  EXPECT_LT(html.find("id=\"comparison\""), html.find("<details"));
  EXPECT_TRUE(has(html, "84.00\u00a0%<small class=\"spread\">± 1.00\u00a0%</small>"));
  EXPECT_TRUE(has(html, "<a href=\"#run-2\">2</a>"));
  EXPECT_FALSE(has(html, "Accuracy against the epoch of the draw"));
  EXPECT_FALSE(has(html, "scope=\"col\">Energy")) << "no run measured it";
  report["comparison"]["rows"][0]["joules"] = {{"mean", 5e3}, {"std", nullptr}, {"n", 1}};
  const json late = {{"mean", 0.85}, {"std", nullptr}, {"n", 1}};
  report["comparison"]["draw_epochs"] = {
      {"dense", {{"mean", 0.86}}},
      {"curves",
       {{{"label", "p=0.5"}, {"points", {{{"epoch", 2}, {"top1", stat}}, {{"epoch", 8}, {"top1", late}}}}}}}};
  const std::string more = report_html(report);
  EXPECT_TRUE(has(more, "scope=\"col\">Energy"));
  EXPECT_TRUE(has(more, "Accuracy against the epoch of the draw"));
  const std::string figure = more.substr(more.find("Accuracy against the epoch of the draw"));
  EXPECT_EQ(occurrences(figure.substr(0, figure.find("</figure>")), "<circle"), 2u) << "a dot for each draw";
  EXPECT_TRUE(has(figure, "dense, 86.00"));
  EXPECT_TRUE(has(more, "<td>5.00\u00a0kJ</td>")) << "short enough for a column";
}

static void expect_self_contained(const std::string& html) {
  for (const char* forbidden : {"http://", "https://", "<script", "javascript:", "@import", "url("})
    EXPECT_FALSE(has(html, forbidden)) << forbidden;
  EXPECT_FALSE(std::regex_search(html, std::regex("\\son[a-z]+\\s*=")));
  EXPECT_TRUE(has(html, "default-src 'none'; img-src data:; style-src 'unsafe-inline'"));
  std::smatch found;
  EXPECT_FALSE(std::regex_search(html, found, std::regex("\\ssrc=|href=\"(?!#|data:image/png;base64,)")))
      << found.str();
}

TEST(ReportHtml, is_one_file_without_script) {
  expect_self_contained(report_html(report_of(run_of(10, 13))));
}

TEST(ReportHtml, names_are_text_and_never_markup) {
  const std::string evil = "\"><img src=x onerror=alert(1)>";
  json run = run_of(6, 4);
  run["name"] = run["path"] = evil;
  run["warnings"] = run["command_lines"] = {evil};
  run["layers"][0]["id"] = evil;
  run["networks"][1]["label"] = run["networks"][0]["top1_note"] = evil;
  run["config_changes"] = {{{"key", evil}, {"value", evil}, {"default", {evil}}}};
  run["environment"] = {{{"key", evil}, {"value", evil}}};
  run["phases"] = {{{"name", evil}, {"precision", evil}, {"seconds", {{"forward", 1}}}},
                   {{"name", evil}, {"start_epoch", 2}}};
  run["early_bird"]["draw"]["found_by"] = evil;
  const std::string html = report_html(report_of(run));
  EXPECT_FALSE(has(html, "<img"));
  EXPECT_FALSE(has(html, "\"\">"));
  EXPECT_GE(occurrences(html, "&lt;img src=x"), 10u);
}

TEST(ReportHtml, invalid_bytes_in_a_run_do_not_throw) {
  json run = run_of(3, 2);
  run["name"] = "a\xff\xfe";
  run["config_changes"] = {{{"key", "k"}, {"value", "\xc3"}, {"default", nullptr}}};
  EXPECT_TRUE(has(report_html(report_of(run)), "a\uFFFD\uFFFD"));
}

TEST(ReportHtml, large_run_stays_below_2_mb_and_a_second) {
  json run = run_of(160, 1000);
  const json report = report_of(run);
  const auto start = std::chrono::steady_clock::now();
  const std::string html = report_html(report);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_LT(html.size(), 2'000'000u);
  EXPECT_LT(seconds, 1.0);
  RecordProperty("bytes", static_cast<int>(html.size()));
}
