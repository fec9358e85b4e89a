// What the page of a report draws and says: units, ticks, long curves, and numbers in words.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <regex>

#include "support/report_page.h"
#include "support/report_run.h"
#include "tools/plot/svg_axis.h"
#include "tools/plot/svg_plot.h"
#include "tools/plot/svg_thin.h"
#include "tools/record/numbers.h"

using namespace eb::test;
namespace page = eb::tools::page;
using nlohmann::json;
namespace fs = std::filesystem;

static bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// --- long curves ---

// A slow wave of `n` values with a spike up and one down.
static page::Series long_series(size_t n) {
  page::Series s{"wave"};
  for (size_t i = 0; i < n; ++i) {
    s.x.push_back(static_cast<double>(i + 1));
    s.y.push_back(std::sin(static_cast<double>(i) * 1e-3));
  }
  s.y[n / 3] = 7.5, s.y[n / 2] = -7.5;
  return s;
}

static std::vector<double> known(const page::Series& s) {
  std::vector<double> values;
  for (const page::Number& y : s.y)
    if (y) values.push_back(*y);
  return values;
}

TEST(ReportThinning, keeps_the_ends_and_every_peak) {
  const page::Series all = long_series(20'000), few = page::thinned(all, 1000);
  EXPECT_LE(few.x.size(), 1000u);
  EXPECT_GT(few.x.size(), 500u);
  ASSERT_EQ(few.x.size(), few.y.size());
  EXPECT_EQ(few.x.front(), 1);
  EXPECT_EQ(few.x.back(), 20'000);
  EXPECT_TRUE(std::is_sorted(few.x.begin(), few.x.end()));
  const auto values = known(few);
  EXPECT_EQ(std::count(values.begin(), values.end(), 7.5), 1);
  EXPECT_EQ(std::count(values.begin(), values.end(), -7.5), 1);
  for (size_t i = 0; i < few.x.size(); ++i)
    EXPECT_EQ(few.y[i], all.y[static_cast<size_t>(few.x[i]) - 1]) << "no value is made up";
  // Of each stretch the lowest and the highest are there: the picture has the same outline.
  for (size_t at = 0; at < 20'000; at += 80) {
    const auto [low, high] = std::minmax_element(all.y.begin() + static_cast<std::ptrdiff_t>(at),
                                                 all.y.begin() + static_cast<std::ptrdiff_t>(at + 80));
    for (const page::Number& extreme : {*low, *high})
      EXPECT_NE(std::find(few.y.begin(), few.y.end(), extreme), few.y.end()) << at;
  }
}

TEST(ReportThinning, leaves_short_curves_alone_and_interruptions_where_they_are) {
  page::Series s = long_series(1000);
  s.y[500] = std::nullopt;
  EXPECT_EQ(page::thinned(s, 1000).y, s.y);
  page::Series broken = long_series(5000);
  for (size_t i = 2000; i < 3000; ++i) broken.y[i] = std::nullopt;
  const page::Series few = page::thinned(broken, 1000);
  EXPECT_EQ(std::count(few.y.begin(), few.y.end(), std::nullopt), 1);
  EXPECT_LE(known(few).size(), 1000u);
  page::Series dots = long_series(30'000);  // accuracies of every tenth epoch
  for (size_t i = 0; i < dots.y.size(); ++i)
    if (i % 10) dots.y[i] = std::nullopt;
  const page::Series fewer = page::thinned(dots, 1000);
  EXPECT_LE(known(fewer).size(), 1000u);
  for (size_t i = 1; i < fewer.y.size(); ++i)
    EXPECT_NE(fewer.y[i].has_value(), fewer.y[i - 1].has_value()) << "no two of them are joined";
}

TEST(ReportThinning, a_run_of_20000_epochs_has_a_small_page_and_all_its_numbers) {
  const TempDir dir;
  make_run(dir / "run", R"({"early_bird": {"enabled": false}, "train": {"duration": "20000ep"}})");
  std::string lines;
  for (int e = 1; e <= 20'000; ++e)
    lines += json({{"split", "epoch"},
                   {"epoch", e},
                   {"step", 3 * e},
                   {"phase", "dense"},
                   {"train/loss", 2 + std::sin(e)},
                   {"train/top1", 0.5 + 0.25 * std::cos(e)},
                   {"test/loss", 2 + std::cos(e)},
                   {"test/top1", e == 7777 ? 0.99 : 0.25},
                   {"perf/images_per_s", 1000 + e % 10}})
                 .dump() +
             "\n";
  spit(dir / "run/metrics.jsonl", lines);
  const Outcome o = run_engine({"report", dir / "run", "-o", dir / "page.html"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(read_json(dir / "page.json")["runs"][0]["epochs"].size(), 20'000u);
  EXPECT_LT(fs::file_size(dir / "page.html"), 150'000u);
}

// --- ticks ---

// What stands below the x axis.
static std::vector<std::string> x_ticks(const std::string& svg) {
  std::vector<std::string> ticks;
  const std::regex tick("y=\"277\" text-anchor=\"middle\">([^<]*)<");
  for (auto it = std::sregex_iterator(svg.begin(), svg.end(), tick); it != std::sregex_iterator(); ++it)
    ticks.push_back((*it)[1]);
  return ticks;
}

TEST(ReportAxis, epochs_are_whole) {
  using Ticks = std::vector<std::string>;
  const auto plot = [](std::vector<double> x) {
    page::Plot p;
    page::Series s{"y"};
    for (const double at : x) s.y.push_back(at);
    s.x = std::move(x);
    p.series = {s};
    return x_ticks(page::line_plot(p));
  };
  EXPECT_EQ(plot({1, 2, 3, 4}), (Ticks{"1", "2", "3", "4"}));
  EXPECT_EQ(plot({1, 2}), (Ticks{"1", "2"}));
  EXPECT_EQ(plot({1}), (Ticks{"0", "1", "2"}));
  EXPECT_EQ(plot({1, 160}), (Ticks{"50", "100", "150"}));
  EXPECT_EQ(plot({0.25, 0.5, 0.75}), (Ticks{"0.3", "0.4", "0.5", "0.6", "0.7"})) << "checks within an epoch";
}

// --- units ---

static json statistic(double mean, json std = nullptr) {
  return {{"mean", mean}, {"std", std}, {"n", 2}};
}

static std::string comparison_page(const json& row, const char* cost = "training_flops") {
  json one = {{"label", "ticket"}, {"runs", {0, 1}}, {"seeds", {1, 2}}, {"top1", statistic(0.84, 0.01)}};
  one.update(row);
  return report_html(
      {{"runs", {json::object(), json::object()}}, {"comparison", {{"cost", cost}, {"rows", {one}}}}});
}

TEST(ReportUnits, the_scatter_has_the_unit_of_its_largest_cost) {
  for (const auto& [flops, unit] : {std::pair(5.2e7, "MFLOPs"), std::pair(5e10, "GFLOPs"),
                                    std::pair(9.999e11, "TFLOPs"), std::pair(2e17, "PFLOPs")}) {
    const std::string html = comparison_page({{"training_flops", statistic(flops)}});
    EXPECT_TRUE(has(html, std::string(">training ") + unit + ", search included<")) << unit;
    for (const std::string& tick : x_ticks(html)) EXPECT_FALSE(has(tick, "e")) << tick;
  }
  EXPECT_EQ(x_ticks(comparison_page({{"training_flops", statistic(5e10)}})),
            (std::vector<std::string>{"0", "10", "20", "30", "40", "50"}));
  EXPECT_TRUE(has(comparison_page({{"joules", statistic(2500)}}, "joules"), ">energy in kJ<"));
  EXPECT_TRUE(has(comparison_page({{"joules", statistic(12)}}, "joules"), ">energy in J<"));
}

TEST(ReportUnits, a_deviation_has_the_unit_of_its_mean) {
  const auto spread = [](const char* what) { return std::string("<small class=\"spread\">± ") + what + "<"; };
  const std::string s = "\u00a0";
  const std::string html = comparison_page({{"training_flops", statistic(1.2e15, 3e14)},
                                            {"flops_per_image", statistic(9.4e8, 1.3e9)},
                                            {"joules", statistic(1.2e6, 54321)},
                                            {"seconds", statistic(7800, 200)}});
  EXPECT_TRUE(has(html, "1.20" + s + "PFLOPs" + spread(("0.30" + s + "PFLOPs").c_str())));
  EXPECT_TRUE(has(html, "940" + s + "MFLOPs" + spread(("1,300" + s + "MFLOPs").c_str())));
  EXPECT_TRUE(has(html, "1.20" + s + "MJ" + spread(("0.05" + s + "MJ").c_str())));
  EXPECT_TRUE(has(html, "2" + s + "h 10" + s + "min" + spread(("3" + s + "min").c_str())));
  EXPECT_EQ(page::duration(12.3, 1265), "12" + s + "s");
  EXPECT_EQ(page::duration(90, 1265), "1" + s + "min 30" + s + "s");
  EXPECT_EQ(page::duration(61, 59), "61.0" + s + "s");
  EXPECT_EQ(page::metric(0, "FLOPs", 1.2e15), "0.00" + s + "PFLOPs");
}

// --- words ---

static std::string drawn_page(const char* by, json emerged) {
  const json ratio = {{"ratio", 0.5},     {"name", "p50"},
                      {"bits", 100},      {"emerged_epoch", emerged},
                      {"epochs", {1, 2}}, {"differing", {0, 1, 1, 0}}};
  const json draw = {{"ratio", 0.5}, {"epoch", 2}, {"found_by", by}};
  const json early_bird = {{"threshold", 0.1}, {"window", 2}, {"draw", draw}, {"ratios", {ratio}}};
  return report_html({{"runs", {{{"epochs_done", 3}, {"early_bird", early_bird}}}}});
}

TEST(ReportWords, say_how_the_ticket_was_drawn) {
  EXPECT_TRUE(has(drawn_page("detector", 2), " The ticket was drawn by the detector at epoch 2."));
  EXPECT_TRUE(
      has(drawn_page("deadline", nullptr), "The ticket was drawn all the same, at the deadline, epoch 2."));
  const std::string fixed = drawn_page("draw_at", nullptr);
  EXPECT_TRUE(has(fixed, "The ticket was drawn all the same, at an epoch fixed beforehand, epoch 2."));
  EXPECT_TRUE(has(fixed, "ticket was drawn at epoch 2, an epoch fixed beforehand"));
  for (const char* by : {"deadline", "draw_at", "detector"})
    EXPECT_FALSE(has(drawn_page(by, nullptr), "by: ") || has(drawn_page(by, nullptr), "draw_at"));
}

TEST(ReportWords, one_is_not_many) {
  const std::string html = drawn_page("detector", 2);
  EXPECT_TRUE(has(html, "0.0100, 1 channel."));
  EXPECT_TRUE(has(html, "from the mask before it"));
  EXPECT_EQ(page::counted(1, "channel"), "1 channel");
  EXPECT_EQ(page::counted(0, "channel"), "0 channels");
  EXPECT_EQ(page::counted(1024, "channel"), "1,024 channels");
}
