#include "tools/report/page/write.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "tools/plot/heat_map.h"
#include "tools/report/page/html.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;

fs::path numbers_beside(const fs::path& page) {
  std::error_code error;
  if (!page.has_filename() || fs::is_directory(page, error))
    throw Error(errors::bad_page_name, quote_path(page) + " is not the name of a page",
                "name a file: -o report.html");
  fs::path numbers = page;
  numbers.replace_extension(".json");
  if (numbers == page)
    throw Error(errors::page_is_report_json,
                quote_path(page) + " is the name of report.json's place, not of a page",
                "end it in .html; the numbers are written beside it");
  return numbers;
}

// A file as it was before, or gone if there was none. What cannot be put back is no news: the disk failed.
static void put_back(const fs::path& file, const std::optional<std::string>& before) {
  std::error_code error;
  if (!before) {
    fs::remove(file, error);
    return;
  }
  try {
    replace_file(file, *before);
  } catch (const Error&) {
  }
}

void write_report(const json& report, const fs::path& page) {
  const fs::path numbers = numbers_beside(page);
  const std::string html = report_html(report);
  std::error_code error;
  std::optional<std::string> before;
  if (fs::exists(numbers, error)) before = read_file(numbers);
  replace_file(numbers, report.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
  try {
    replace_file(page, html);
  } catch (const Error&) {
    put_back(numbers, before);
    throw;
  }
}

// --- tables ---

// RFC 4180. Empty where there is no number: a spreadsheet takes 0 for a measurement.
static std::string csv_cell(const json& value) {
  if (value.is_null()) return "";
  std::string text = value.is_string() ? value.get<std::string>()
                                       : value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.find_first_of(",\"\r\n") == text.npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

static void add_line(std::string& table, const std::vector<json>& cells) {
  for (size_t i = 0; i < cells.size(); ++i) table += (i ? "," : "") + csv_cell(cells[i]);
  table += "\r\n";
}

using Columns = std::vector<const char*>;

// One line for each element of runs[i][list].
static std::string table_of(const json& report, const char* list, const Columns& columns) {
  std::string table;
  std::vector<json> line = {"run", "name"};
  line.insert(line.end(), columns.begin(), columns.end());
  add_line(table, line);
  for (size_t i = 0; i < report["runs"].size(); ++i)
    for (const json& row : report["runs"][i][list]) {
      line = {i + 1, report["runs"][i]["name"]};
      for (const char* column : columns) line.push_back(row[column]);
      add_line(table, line);
    }
  return table;
}

static std::string comparison_table(const json& comparison) {
  static const Columns statistics = {"top1",           "top5",    "params", "flops_per_image",
                                     "training_flops", "seconds", "joules", "draw_epoch"};
  std::string table;
  std::vector<json> line = {"label", "runs", "ratio"};
  for (const char* name : statistics)
    for (const char* part : {"mean", "std", "n"}) line.push_back(fmt::format("{}_{}", name, part));
  add_line(table, line);
  for (const json& row : comparison["rows"]) {
    line = {row["label"], row["runs"].size(), row["ratio"]};
    for (const char* name : statistics)
      for (const char* part : {"mean", "std", "n"})
        line.push_back(row[name].is_null() ? json(nullptr) : row[name][part]);
    add_line(table, line);
  }
  return table;
}

// --- masks ---

// First line and first column are epochs.
static std::string distance_table(const json& ratio, const std::vector<double>& distances) {
  const json& epochs = ratio["epochs"];
  std::vector<json> line = {"epoch"};
  line.insert(line.end(), epochs.begin(), epochs.end());
  std::string table;
  add_line(table, line);
  for (size_t i = 0; i < epochs.size(); ++i) {
    line = {epochs[i]};
    for (size_t j = 0; j < epochs.size(); ++j) line.push_back(distances[i * epochs.size() + j]);
    add_line(table, line);
  }
  return table;
}

static void write_masks(const json& ratio, const fs::path& directory) {
  const int n = static_cast<int>(ratio["epochs"].size());
  if (n == 0) return;
  std::vector<double> distances;
  for (const json& differing : ratio["differing"])
    distances.push_back(differing.get<double>() / ratio["bits"].get<double>());
  const std::string name = "mask_distance_" + ratio["name"].get<std::string>();
  replace_file(directory / (name + ".csv"), distance_table(ratio, distances));
  constexpr int paper_width = 640;
  const std::vector<uint8_t> png = to_png(enlarge_to(heat_map(distances, n), paper_width));
  replace_file(directory / (name + ".png"), {reinterpret_cast<const char*>(png.data()), png.size()});
}

void write_assets(const json& report, const fs::path& directory) {
  static const Columns networks = {
      "label",          "ratio",     "top1_last",    "top5_last",      "top1_best",         "best_epoch",
      "best_rule",      "top1_note", "params",       "macs_per_image", "flops_per_image",   "weight_bytes",
      "training_flops", "seconds",   "seconds_note", "images_per_s",   "peak_memory_bytes", "joules",
      "energy_method"};
  static const Columns epochs = {"epoch",     "phase",        "train_loss", "train_top1",
                                 "test_loss", "test_top1",    "test_top5",  "holdout_top1",
                                 "lr",        "images_per_s", "seconds"};
  static const Columns layers = {"id", "kept", "total", "group", "held_up"};
  make_directories(directory);
  replace_file(directory / "networks.csv", table_of(report, "networks", networks));
  replace_file(directory / "epochs.csv", table_of(report, "epochs", epochs));
  replace_file(directory / "layers.csv", table_of(report, "layers", layers));
  if (!report["comparison"].is_null())
    replace_file(directory / "comparison.csv", comparison_table(report["comparison"]));
  const json& runs = report["runs"];
  for (size_t i = 0; i < runs.size(); ++i) {
    if (runs[i]["early_bird"].is_null()) continue;
    const fs::path place = runs.size() == 1 ? directory : directory / fmt::format("run{}", i + 1);
    make_directories(place);
    for (const json& ratio : runs[i]["early_bird"]["ratios"]) write_masks(ratio, place);
  }
}

}  // namespace eb::tools
