#include "tools/report/page/write.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "tools/plot/heat_map.h"
#include "tools/report/gather/report_fields.h"
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

void write_report(const Report& report, const fs::path& page) {
  const fs::path numbers = numbers_beside(page);
  const std::string html = report_html(report);
  std::error_code error;
  std::optional<std::string> before;
  if (fs::exists(numbers, error)) before = read_file(numbers);
  replace_file(numbers, dump_json(to_json(report)) + "\n");
  try {
    replace_file(page, html);
  } catch (const Error&) {
    put_back(numbers, before);
    throw;
  }
}

// --- tables ---

template <class T>
static json cell(const T& v) {
  return v;
}
template <class T>
static json cell(const std::optional<T>& v) {
  return or_null(v);
}

// RFC 4180. Empty where there is no number: a spreadsheet takes 0 for a measurement.
static std::string csv_cell(const json& value) {
  if (value.is_null()) return "";
  std::string text = value.is_string() ? value.get<std::string>() : dump_json(value);
  if (text.find_first_of(",\"\r\n") == text.npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

static void add_line(std::string& table, const std::vector<json>& cells) {
  for (size_t i = 0; i < cells.size(); ++i) table += (i ? "," : "") + csv_cell(cells[i]);
  table += "\r\n";
}

using Cells = std::vector<json>;

// One line for each element of a list of every run, a column for each of its keys.
template <class Row>
static std::string table_of(const Report& report, std::vector<Row> RunReport::*list) {
  std::string table;
  Cells line = {"run", "name"};
  const Row any{};
  fields(any, [&](const char* key, const auto&) { line.push_back(key); });
  add_line(table, line);
  for (size_t i = 0; i < report.runs.size(); ++i)
    for (const Row& row : report.runs[i].*list) {
      line = {i + 1, report.runs[i].name};
      fields(row, [&](const char*, const auto& v) { line.push_back(cell(v)); });
      add_line(table, line);
    }
  return table;
}

static std::string comparison_table(const ComparisonReport& comparison) {
  std::string table;
  Cells line = {"label", "runs", "ratio"};
  const ComparisonRow any{};
  const Statistic none{};
  statistics(any, [&](const char* key, const auto&) {
    fields(none, [&](const char* part, const auto&) { line.push_back(fmt::format("{}_{}", key, part)); });
  });
  add_line(table, line);
  for (const ComparisonRow& row : comparison.rows) {
    line = {row.label, row.runs.size(), cell(row.ratio)};
    statistics(row, [&](const char*, const auto& statistic) {
      fields(statistic ? *statistic : none, [&](const char*, const auto& v) { line.push_back(cell(v)); });
    });
    add_line(table, line);
  }
  return table;
}

// --- masks ---

// First line and first column are epochs.
static std::string distance_table(const RatioReport& ratio, const std::vector<double>& distances) {
  const size_t n = ratio.epochs.size();
  Cells line = {"epoch"};
  for (const EpochNumber& epoch : ratio.epochs) line.push_back(to_json(epoch));
  std::string table;
  add_line(table, line);
  for (size_t i = 0; i < n; ++i) {
    line = {to_json(ratio.epochs[i])};
    line.insert(line.end(), distances.begin() + i * n, distances.begin() + (i + 1) * n);
    add_line(table, line);
  }
  return table;
}

static void write_masks(const RatioReport& ratio, const fs::path& directory) {
  const int n = static_cast<int>(ratio.epochs.size());
  if (n == 0) return;
  std::vector<double> distances;
  for (const int64_t differing : ratio.differing)
    distances.push_back(static_cast<double>(differing) / static_cast<double>(ratio.bits.value_or(0)));
  const std::string name = "mask_distance_" + ratio.name;
  replace_file(directory / (name + ".csv"), distance_table(ratio, distances));
  constexpr int paper_width = 640;
  const std::vector<uint8_t> png = to_png(enlarge_to(heat_map(distances, n), paper_width));
  replace_file(directory / (name + ".png"), {reinterpret_cast<const char*>(png.data()), png.size()});
}

void write_assets(const Report& report, const fs::path& directory) {
  make_directories(directory);
  replace_file(directory / "networks.csv", table_of(report, &RunReport::networks));
  replace_file(directory / "epochs.csv", table_of(report, &RunReport::epochs));
  replace_file(directory / "layers.csv", table_of(report, &RunReport::layers));
  if (report.comparison) replace_file(directory / "comparison.csv", comparison_table(*report.comparison));
  const std::vector<RunReport>& runs = report.runs;
  for (size_t i = 0; i < runs.size(); ++i) {
    if (!runs[i].early_bird) continue;
    const fs::path place = runs.size() == 1 ? directory : directory / fmt::format("run{}", i + 1);
    make_directories(place);
    for (const RatioReport& ratio : runs[i].early_bird->ratios) write_masks(ratio, place);
  }
}

}  // namespace eb::tools
