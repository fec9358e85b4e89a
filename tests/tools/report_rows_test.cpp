// Rows of a comparison: what they are called, and their accuracy against the epoch of the draw.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <regex>

#include "support/report_page.h"
#include "support/report_run.h"

using namespace eb::test;
using nlohmann::json;

static std::vector<std::string> labels(const TempDir& dir, const std::vector<std::string>& configs) {
  std::vector<std::string> runs, found;
  for (size_t i = 0; i < configs.size(); ++i) {
    runs.push_back(dir / ("label" + std::to_string(i)));
    make_run(runs.back(), configs[i]);
  }
  const json report = report_of(runs);
  for (const json& row : report["comparison"]["rows"]) found.push_back(row["label"]);
  return found;
}

TEST(ReportRows, labels_tell_what_differs_and_no_more) {
  using Labels = std::vector<std::string>;
  const TempDir dir;
  const std::string dense = R"({"early_bird": {"enabled": false}})";
  const std::string dense_l1 = R"({"early_bird": {"enabled": false, "draw": 0.3, "watch": [0.3]}})";
  EXPECT_EQ(labels(dir, {dense, dense_l1, R"({})"}), (Labels{"dense", "p=0.5"}));
  EXPECT_EQ(labels(dir, {dense, dense}), Labels{"dense"});
  EXPECT_EQ(labels(dir, {R"({})", R"({"seed": 5})"}), Labels{"p=0.5"});
  EXPECT_EQ(labels(dir, {R"({})", R"({"early_bird": {"draw": 0.3, "after": {"weights": "reinit"}}})",
                         R"({"early_bird": {"after": {"weights": "reinit"}}})"}),
            (Labels{"p=0.5", "p=0.3, weights=reinit", "p=0.5, weights=reinit"}));
  EXPECT_EQ(labels(dir, {dense, R"({"early_bird": {"enabled": false}, "model": {"depth": 16}})"}),
            (Labels{"dense, depth=11", "dense, depth=16"}));
  EXPECT_EQ(labels(dir, {R"({"precision": {"preset": "swalp8", "phases": ["search"]}})",
                         R"({"precision": {"preset": "swalp8", "phases": ["search", "retrain"]}})"}),
            (Labels{"p=0.5, phases=search", "p=0.5, phases=search+retrain"}));
}

TEST(ReportRows, labels_are_short_but_never_the_same) {
  using Labels = std::vector<std::string>;
  const TempDir dir;
  const auto with = [](const char* key, const json& value) {
    return json::parse(fmt::format(R"({{"early_bird": {{"draw": 0.3, "{}": {}}}}})", key, value.dump()))
        .dump();
  };
  EXPECT_EQ(labels(dir, {with("after", {{"schedule", "restart"}}), with("draw_at", "3ep"),
                         with("rule", "reference")}),
            (Labels{"p=0.3, after.schedule=restart", "p=0.3, draw_at=3ep", "p=0.3, rule=reference"}))
      << "train.schedule is another schedule";
  EXPECT_EQ(
      labels(dir, {with("after", {{"schedule", "restart"}, {"weights", "reinit"}}), with("threshold", 0.2)}),
      (Labels{"p=0.3, threshold=0.4, weights=reinit", "p=0.3, threshold=0.2"}))
      << "the ratio alone would be a ticket as by default";
  EXPECT_EQ(labels(dir, {with("deadline", "3ep"), with("draw_at", "3ep")}),
            (Labels{"p=0.3", "p=0.3, draw_at=3ep"}));
  EXPECT_EQ(labels(dir, {with("deadline", "3ep"), with("deadline", "2ep")}),
            (Labels{"p=0.3, deadline=3ep", "p=0.3, deadline=2ep"}));
  const std::string start(60, 'x');
  EXPECT_EQ(
      labels(dir, {with("protect", json::array({start + "a"})), with("protect", json::array({start + "b"}))}),
      (Labels{"p=0.3, protect=[\"" + start + "a\"]", "p=0.3, protect=[\"" + start + "b\"]"}));
  EXPECT_EQ(labels(dir, {with("protect", json::array({"a", "b"})), with("protect", json::array({"a+b"}))}),
            (Labels{"p=0.3, protect=[\"a\",\"b\"]", "p=0.3, protect=[\"a+b\"]"}));
}

TEST(ReportRows, runs_of_unknown_settings_are_not_averaged) {
  const TempDir dir;
  make_finished(dir / "known", R"({"early_bird": {"draw": 0.3}})", 0.7, 2);
  for (const char* run : {"a", "b"}) {
    make_finished(dir / run, "{}", 0.1, 3);
    spit(dir / (std::string(run) + "/config.resolved.json"), "{");
  }
  const json rows = report_of({dir / "a", dir / "known", dir / "b"})["comparison"]["rows"];
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["label"], "run 1, settings unknown");
  EXPECT_EQ(rows[1]["label"], "p=0.3");
  EXPECT_EQ(rows[2]["label"], "run 3, settings unknown");
}

static std::string early(const char* at, double ratio, const json& more = json::object()) {
  json config = {{"early_bird", {{"deadline", nullptr}, {"draw_at", at}, {"draw", ratio}}}};
  config.merge_patch(more);
  return config.dump();
}

TEST(ReportRows, accuracy_against_the_epoch_of_the_draw) {
  const TempDir dir;
  make_finished(dir / "late", early("6ep", 0.5), 0.8, 6);
  make_finished(dir / "detector", R"({})", 0.82, 4);
  make_finished(dir / "soon", early("2ep", 0.5), 0.7, 2);
  make_finished(dir / "soon again", R"({"seed": 2})", 0.86, 4);
  make_finished(dir / "once", early("2ep", 0.3), 0.9, 2);
  make_finished(dir / "other channels", early("3ep", 0.5, {{"early_bird", {{"criterion", "random"}}}}), 0.1,
                3);
  make_finished(dir / "other weights",
                early("3ep", 0.5, {{"early_bird", {{"after", {{"weights", "reinit"}}}}}}), 0.1, 3);
  make_finished(dir / "dense", R"({"early_bird": {"enabled": false}})", 0.9, 9);
  std::vector<std::string> runs;
  for (const char* name :
       {"late", "detector", "soon", "soon again", "once", "other channels", "other weights"})
    runs.push_back(dir / name);
  const json draws = report_of(runs)["comparison"]["draw_epochs"];
  ASSERT_EQ(draws["curves"].size(), 1u) << "one ratio was drawn at more than one epoch: " << draws;
  const json& curve = draws["curves"][0];
  EXPECT_EQ(curve["label"], "p=0.5");
  std::vector<double> epochs, top1;
  for (const json& point : curve["points"])
    epochs.push_back(point["epoch"]), top1.push_back(point["top1"]["mean"]);
  EXPECT_EQ(epochs, (std::vector<double>{2, 4, 6}));
  EXPECT_EQ(curve["points"][0]["row"], 2) << "the row of soon";
  EXPECT_TRUE(curve["points"][1]["top1"]["std"].is_number());
  EXPECT_EQ(top1[0], 0.7);
  EXPECT_DOUBLE_EQ(top1[1], 0.84) << "mean over the seeds of a row";
  EXPECT_EQ(top1[2], 0.8);
  EXPECT_TRUE(draws["dense"].is_null());
  runs.push_back(dir / "dense");
  EXPECT_EQ(report_of(runs)["comparison"]["draw_epochs"]["dense"]["mean"], 0.9);
  EXPECT_TRUE(report_of({dir / "once", dir / "late"})["comparison"]["draw_epochs"].is_null());
}

TEST(ReportRows, draws_of_another_network_make_another_curve) {
  const TempDir dir;
  const json deep = {{"model", {{"depth", 16}}}};
  make_finished(dir / "2", early("2ep", 0.5), 0.7, 2);
  make_finished(dir / "6", early("6ep", 0.5), 0.8, 6);
  make_finished(dir / "deep 2", early("2ep", 0.5, deep), 0.75, 2);
  make_finished(dir / "deep 5", early("5ep", 0.5, deep), 0.85, 5);
  make_finished(dir / "dense", R"({"early_bird": {"enabled": false}})", 0.9, 9);
  const std::vector<std::string> shallow = {dir / "2", dir / "6", dir / "dense"};
  EXPECT_EQ(report_of(shallow)["comparison"]["draw_epochs"]["dense"]["mean"], 0.9);
  const json other = report_of({dir / "deep 2", dir / "deep 5", dir / "dense"})["comparison"]["draw_epochs"];
  EXPECT_TRUE(other["dense"].is_null()) << "another network's accuracy is no reference";
  EXPECT_EQ(other["curves"].size(), 1u);
  EXPECT_EQ(other["curves"][0]["label"], "p=0.5");

  const json both = report_of(
      {dir / "2", dir / "deep 2", dir / "6", dir / "deep 5", dir / "dense"})["comparison"]["draw_epochs"];
  ASSERT_EQ(both["curves"].size(), 2u);
  EXPECT_EQ(both["curves"][0]["label"], "p=0.5, depth=11");
  EXPECT_EQ(both["curves"][0]["points"][1]["top1"]["mean"], 0.8);
  EXPECT_EQ(both["curves"][1]["label"], "p=0.5, depth=16");
  EXPECT_EQ(both["curves"][1]["points"][1]["top1"]["mean"], 0.85);
  EXPECT_TRUE(both["dense"].is_null());
}

static size_t occurrences(const std::string& text, const std::string& of) {
  size_t n = 0;
  for (size_t at = text.find(of); at != std::string::npos; at = text.find(of, at + of.size())) ++n;
  return n;
}

// x and y of the dots of a colour, as they are written.
static std::vector<std::pair<double, double>> dots(const std::string& svg, const std::string& color) {
  std::vector<std::pair<double, double>> found;
  const std::regex dot("<circle class=\"dot " + color + "\" cx=\"([0-9.]+)\" cy=\"([0-9.]+)\"");
  for (std::sregex_iterator at(svg.begin(), svg.end(), dot), end; at != end; ++at)
    found.emplace_back(std::stod((*at)[1]), std::stod((*at)[2]));
  return found;
}

TEST(ReportRows, page_draws_accuracy_against_the_epoch_of_the_draw) {
  const auto point = [](int epoch, double top1, json deviation) {
    return json{{"epoch", epoch}, {"top1", {{"mean", top1}, {"std", deviation}, {"n", 2}}}};
  };
  json report = {{"runs", {{{"name", "a"}}, {{"name", "b"}}}}};
  report["comparison"] = {{"cost", "training_flops"},
                          {"rows", {{{"label", "a"}, {"runs", {0}}, {"seeds", {1}}}}}};
  EXPECT_EQ(occurrences(report_html(report), "epoch of the draw"), 0u);
  report["comparison"]["draw_epochs"] = {
      {"dense", nullptr},
      {"curves",
       {{{"label", "p=0.3 <"},
         {"points", {point(2, 0.7, 0.02), point(4, 0.8, nullptr), point(8, 0.9, 0.01)}}},
        {{"label", "p=0.5"}, {"points", {point(2, 0.6, nullptr), point(8, 0.7, nullptr)}}}}}};
  const std::string html = report_html(report);
  const size_t start = html.find("Accuracy against the epoch of the draw");
  ASSERT_NE(start, std::string::npos);
  const std::string figure = html.substr(start, html.find("</figure>", start) - start);
  EXPECT_EQ(occurrences(figure, "p=0.3 &lt;</li>"), 1u);
  EXPECT_EQ(occurrences(figure, "dense"), 0u);
  const auto first = dots(figure, "s1"), second = dots(figure, "s2");
  ASSERT_EQ(first.size(), 3u);
  ASSERT_EQ(second.size(), 2u);
  EXPECT_NEAR(first[2].first - first[1].first, 2 * (first[1].first - first[0].first), 0.3);
  EXPECT_NEAR(first[1].second - first[2].second, first[0].second - first[1].second, 0.3) << "up is better";
  EXPECT_GT(first[1].second, first[2].second);
  EXPECT_EQ(second[1].second, first[0].second) << "0.7 is at one height";
  EXPECT_EQ(second[0].first, first[0].first);
  EXPECT_EQ(occurrences(figure, "class=\"deviation s1\""), 2u);
  EXPECT_EQ(occurrences(figure, "class=\"deviation s2\""), 0u);
}
