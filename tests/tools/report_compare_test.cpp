// Several runs in one report, and the tables and pictures for other programs.
#include <gtest/gtest.h>
#include <png.h>

#include <cmath>
#include <map>

#include "support/report_run.h"
#include "tools/plot/heat_map.h"

using namespace eb::test;
using nlohmann::json;
namespace fs = std::filesystem;

using Table = std::vector<std::vector<std::string>>;

// RFC 4180.
static Table read_csv(const fs::path& path) {
  Table table(1, {""});
  const std::string text = slurp(path);
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"')
      table.back().back() += '"', ++i;
    else if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      table.back().emplace_back();
    else if (c == '\n' && !quoted)
      table.push_back({""});
    else if (c != '\r' || quoted)
      table.back().back() += c;
  }
  table.pop_back();
  return table;
}

static std::string cell(const Table& table, size_t row, const std::string& column) {
  for (size_t i = 0; i < table[0].size(); ++i)
    if (table[0][i] == column) return table.at(row).at(i);
  ADD_FAILURE() << "no column " << column;
  return "";
}

TEST(ReportCompare, mean_and_deviation_over_seeds) {
  const TempDir dir;
  const double top1[] = {0.81, 0.84, 0.9}, seconds[] = {10, 12, 17};
  for (int i = 0; i < 3; ++i)
    make_finished(dir / std::to_string(i),
                  json({{"seed", i}, {"name", "n" + std::to_string(i)}, {"data", {{"workers", i}}}}).dump(),
                  top1[i], seconds[i]);
  make_finished(dir / "other", R"({"early_bird": {"draw": 0.3}})", 0.7, 20);
  make_finished(dir / "stopped", R"({"early_bird": {"draw": 0.3}, "seed": 2})", 0.1, 90);
  spit(dir / "stopped/status.json", R"({"exit_code": 75})");
  const json report = report_of({dir / "0", dir / "other", dir / "1", dir / "2", dir / "stopped"});
  const json& comparison = report["comparison"];
  ASSERT_EQ(comparison["rows"].size(), 2u);
  const json &half = comparison["rows"][0], &third = comparison["rows"][1];
  EXPECT_EQ(half["label"], "p=0.5");
  EXPECT_EQ(third["label"], "p=0.3");
  EXPECT_EQ(half["runs"], json({0, 2, 3}));
  EXPECT_EQ(half["seeds"], json({0, 1, 2}));
  EXPECT_EQ(half["ratio"], 0.5);
  for (const auto& [name, values] : {std::pair("top1", top1), std::pair("seconds", seconds)}) {
    const double mean = (values[0] + values[1] + values[2]) / 3;
    double squares = 0;
    for (int i = 0; i < 3; ++i) squares += std::pow(values[i] - mean, 2);
    EXPECT_NEAR(half[name]["mean"], mean, 1e-12);
    EXPECT_NEAR(half[name]["std"], std::sqrt(squares / 2), 1e-12) << "sample deviation: n - 1";
    EXPECT_EQ(half[name]["n"], 3);
  }
  EXPECT_EQ(half["draw_epoch"]["mean"], 13);
  EXPECT_EQ(half["params"], (json{{"mean", 40.0}, {"std", 0.0}, {"n", 3}}));
  EXPECT_EQ(half["training_flops"]["mean"], 3e9);
  EXPECT_TRUE(half["top5"].is_null() && half["joules"].is_null());
  EXPECT_EQ(third["top1"], (json{{"mean", 0.7}, {"std", nullptr}, {"n", 1}}))
      << "the stopped run does not count";
  EXPECT_TRUE(warns(report["runs"][4], "not part of the comparison"));
  EXPECT_EQ(comparison["cost"], "training_flops");
}

// Seconds of runs that followed each other: where a run's steps do not fit the pairs, there are none.
TEST(ReportCompare, a_busy_machine_has_no_training_time) {
  const TempDir dir;
  const auto make = [&](const std::string& name, int seed, double search_step, double ticket_step) {
    make_finished(dir / name, json({{"seed", seed}, {"name", name}}).dump(), 0.8, 10);
    json summary = read_json(dir / (name + "/summary.json"));
    summary["phases"][0].update({{"steps", 100}, {"train_seconds", 100 * search_step}});
    summary["phases"][1].update({{"steps", 200}, {"train_seconds", 200 * ticket_step}});
    summary["eb"]["draw"]["steps"] = {{"pairs", 5},  {"ratio", 2.0},         {"least", 1.9},
                                      {"most", 2.2}, {"dense_seconds", 0.1}, {"ticket_seconds", 0.05}};
    summary["speedup"] = {{"counted", 3.0}, {"measured", 2.0}};
    spit(dir / (name + "/summary.json"), summary.dump());
  };
  make("a", 1, 0.1, 0.05);
  make("b", 2, 0.11, 0.045);
  json row = report_of({dir / "a", dir / "b"})["comparison"]["rows"][0];
  EXPECT_EQ(row["seconds"]["n"], 2);
  EXPECT_EQ(row["step_speedup"], (json{{"mean", 2.0}, {"std", 0.0}, {"n", 2}}));
  EXPECT_TRUE(row["seconds_note"].is_null());
  make("b", 2, 0.1, 0.07);  // beside other work
  row = report_of({dir / "a", dir / "b"})["comparison"]["rows"][0];
  EXPECT_TRUE(row["seconds"].is_null());
  EXPECT_EQ(row["seconds_note"],
            "seed 2: the machine was busy: in retrain, steps took 1.40 times what they took in pairs");
  EXPECT_EQ(row["step_speedup"]["mean"], 2.0);
  // A dense run has no pairs of its own: those of the others count.
  for (const double step : {0.1, 0.2}) {
    make("dense", 1, step, 0.05);
    json summary = read_json(dir / "dense/summary.json");
    summary["phases"].erase(1);
    summary.erase("eb"), summary.erase("ticket"), summary.erase("speedup");
    summary["dense"]["seconds"] = 100 * step;
    spit(dir / "dense/summary.json", summary.dump());
    spit(dir / "dense/config.resolved.json",
         R"({"early_bird": {"enabled": false}, "name": "dense", "seed": 1})");
    make("b", 2, 0.1, 0.05);
    const json rows = report_of({dir / "a", dir / "b", dir / "dense"})["comparison"]["rows"];
    EXPECT_EQ(rows[1]["seconds"].is_null(), step > 0.15) << rows[1].dump();
  }
}

TEST(ReportCompare, averaged_weights_stand_beside_the_network) {
  const TempDir dir;
  for (const char* run : {"a", "b"}) {
    make_finished(dir / run, "{}", 0.5, 10);
    json summary = read_json(dir / (std::string(run) + "/summary.json"));
    summary["swa"] = {{"top1", 0.75}, {"top5", 0.9}, {"models", 3}, {"start_epoch", 6}};
    spit(dir / (std::string(run) + "/summary.json"), summary.dump());
  }
  const json report = report_of({dir / "a", dir / "b"});
  const json& networks = report["runs"][0]["networks"];
  ASSERT_EQ(networks.size(), 3u);
  EXPECT_EQ(networks[2]["label"], "averaged weights (SWA)");
  EXPECT_EQ(networks[2]["top1_last"], 0.75);
  EXPECT_EQ(networks[2]["params"], 40);
  EXPECT_TRUE(networks[2]["training_flops"].is_null() && networks[2]["top1_best"].is_null());
  EXPECT_EQ(networks[2]["top1_note"], "mean of the weights of 3 epochs, from epoch 6 on");
  EXPECT_EQ(report["comparison"]["rows"][0]["top1"]["mean"], 0.5) << "of the network itself";
  EXPECT_EQ(report["comparison"]["rows"][0]["top1"]["std"], 0.0);
}

static eb::tools::Picture read_png(const fs::path& path) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_TRUE(png_image_begin_read_from_file(&image, path.c_str())) << path;
  image.format = PNG_FORMAT_RGB;
  eb::tools::Picture picture{static_cast<int>(image.width), static_cast<int>(image.height), {}};
  picture.rgb.resize(PNG_IMAGE_SIZE(image));
  EXPECT_TRUE(png_image_finish_read(&image, nullptr, picture.rgb.data(), 0, nullptr));
  return picture;
}

static void check_mask_files(const json& ratio, const fs::path& directory) {
  const std::string name = "mask_distance_" + ratio["name"].get<std::string>();
  const size_t n = ratio["epochs"].size();
  const Table table = read_csv(directory / (name + ".csv"));
  const eb::tools::Picture picture = read_png(directory / (name + ".png"));
  ASSERT_EQ(table.size(), n + 1);
  EXPECT_GE(picture.width, 640);
  EXPECT_EQ(picture.width, picture.height);
  const int scale = picture.width / static_cast<int>(n);
  for (size_t i = 0; i < n; ++i) {
    EXPECT_EQ(table[0][i + 1], ratio["epochs"][i].dump());
    EXPECT_EQ(table[i + 1][0], ratio["epochs"][i].dump());
    for (size_t j = 0; j < n; ++j) {
      const double distance = ratio["differing"][i * n + j].get<double>() / ratio["bits"].get<double>();
      EXPECT_DOUBLE_EQ(std::stod(table[i + 1][j + 1]), distance);
      const auto color = eb::tools::distance_color(distance);
      const size_t y = i * scale + scale / 2, x = j * scale + scale / 2;
      const uint8_t* pixel = &picture.rgb[3 * (y * static_cast<size_t>(picture.width) + x)];
      EXPECT_TRUE(pixel[0] == color.r && pixel[1] == color.g && pixel[2] == color.b) << i << " " << j;
    }
  }
}

TEST(ReportCompare, tables_and_pictures_of_a_run) {
  const TempDir dir;
  train(tiny_config(dir), dir / "run");
  const fs::path assets = dir / "new/assets";
  const Outcome o = run_engine({"report", dir / "run", "-o", dir / "page.html", "--assets", assets});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  const json run = read_json(dir / "page.json")["runs"][0];
  const Table epochs = read_csv(assets / "epochs.csv"), layers = read_csv(assets / "layers.csv"),
              networks = read_csv(assets / "networks.csv");
  ASSERT_EQ(epochs.size(), run["epochs"].size() + 1);
  for (size_t i = 0; i < run["epochs"].size(); ++i) {
    EXPECT_EQ(cell(epochs, i + 1, "run"), "1");
    for (const char* column : {"epoch", "train_loss", "test_top1", "lr", "images_per_s"})
      EXPECT_EQ(cell(epochs, i + 1, column), run["epochs"][i][column].dump());
    EXPECT_EQ(cell(epochs, i + 1, "holdout_top1"), "") << "not measured is empty";
  }
  ASSERT_EQ(layers.size(), run["layers"].size() + 1);
  for (size_t i = 0; i < run["layers"].size(); ++i) {
    EXPECT_EQ(cell(layers, i + 1, "id"), run["layers"][i]["id"]);
    EXPECT_EQ(cell(layers, i + 1, "kept"), run["layers"][i]["kept"].dump());
  }
  ASSERT_EQ(networks.size(), 3u);
  EXPECT_EQ(cell(networks, 2, "label"), "ticket p=0.5");
  EXPECT_EQ(cell(networks, 2, "training_flops"), run["networks"][1]["training_flops"].dump());
  EXPECT_FALSE(fs::exists(assets / "comparison.csv"));
  for (const json& ratio : run["early_bird"]["ratios"]) check_mask_files(ratio, assets);
}

TEST(ReportCompare, tables_of_several_runs) {
  const TempDir dir;
  make_finished(dir / "a", R"({"name": "a, \"quoted\"\nname"})", 0.5, 10);
  make_finished(dir / "b", R"({"early_bird": {"draw": 0.3}})", 0.6, 20);
  const fs::path assets = dir / "assets";
  ASSERT_EQ(run_engine({"report", dir / "a", dir / "b", "--assets", assets}).exit_code, 0);
  const Table networks = read_csv(assets / "networks.csv"), comparison = read_csv(assets / "comparison.csv");
  ASSERT_EQ(networks.size(), 5u);
  EXPECT_EQ(cell(networks, 1, "name"), "a, \"quoted\"\nname");
  EXPECT_EQ(cell(networks, 3, "run"), "2");
  ASSERT_EQ(comparison.size(), 3u);
  EXPECT_EQ(cell(comparison, 2, "label"), "p=0.3");
  EXPECT_EQ(std::stod(cell(comparison, 2, "top1_mean")), 0.6);
  EXPECT_EQ(cell(comparison, 2, "top1_std"), "");
  EXPECT_EQ(cell(comparison, 2, "joules_mean"), "");
}
