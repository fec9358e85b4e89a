#include "tools/report/comparison.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "engine/json_text.h"
#include "tools/experiment_fields.h"
#include "tools/report/settings.h"

namespace eb::tools {

using nlohmann::json;
using Settings = std::map<std::string, std::string>;

namespace {

struct Row {
  Settings settings;  // what its runs have in common and other rows may not
  std::vector<size_t> runs;
  bool dense() const { return settings.at("early_bird.enabled") == "false"; }
};

// Without a search its settings say nothing.
Settings telling(const RunFiles& run) {
  Settings settings = settings_of(run);
  const bool dense = settings["early_bird.enabled"] == "false";
  std::erase_if(settings, [&](const auto& entry) {
    const bool search = entry.first.starts_with("early_bird.") && entry.first != "early_bird.enabled";
    return is_incidental(entry.first) || (dense && search);
  });
  return settings;
}

std::vector<Row> rows_of(const std::vector<RunFiles>& runs) {
  std::vector<Row> rows;
  for (size_t i = 0; i < runs.size(); ++i) {
    Settings settings = telling(runs[i]);
    const auto same = [&](const Row& row) { return row.settings == settings; };
    auto row = std::find_if(rows.begin(), rows.end(), same);
    if (row == rows.end()) row = rows.insert(rows.end(), {std::move(settings), {}});
    row->runs.push_back(i);
  }
  return rows;
}

// --- labels ---

std::string value_in(const Row& row, const std::string& key) {
  const auto found = row.settings.find(key);
  return found == row.settings.end() ? "" : found->second;
}

// True if the values of `keys` tell all rows apart.
bool tell_apart(const std::vector<Row>& rows, const std::vector<std::string>& keys) {
  std::set<std::vector<std::string>> seen;
  for (const Row& row : rows) {
    std::vector<std::string> values;
    for (const std::string& key : keys) values.push_back(value_in(row, key));
    seen.insert(values);
  }
  return seen.size() == rows.size();
}

// Keys whose values differ, less those that the others make superfluous; the drawn ratio stays longest.
std::vector<std::string> label_keys(const std::vector<Row>& rows) {
  std::vector<std::string> keys;
  for (const std::string& key : experiment_fields().keys())
    if (std::any_of(rows.begin(), rows.end(),
                    [&](const Row& row) { return value_in(row, key) != value_in(rows[0], key); }))
      keys.push_back(key);
  std::vector<std::string> order(keys.rbegin(), keys.rend());
  std::stable_partition(order.begin(), order.end(), [](const auto& k) { return k != "early_bird.draw"; });
  for (const std::string& key : order) {
    std::vector<std::string> fewer = keys;
    std::erase(fewer, key);
    if (tell_apart(rows, fewer)) keys = std::move(fewer);
  }
  return keys;
}

// "early_bird.draw" is the p of the paper; other keys without the sections that everybody knows.
std::string short_name(const std::string& key) {
  if (key == "early_bird.draw") return "p";
  for (const char* section : {"early_bird.", "train."})
    if (key.starts_with(section)) return key.substr(std::string(section).size());
  return key;
}

// "search+retrain" for ["search", "retrain"].
std::string plain_value(const std::string& dumped) {
  const json value = json::parse(dumped, nullptr, false);
  if (value.is_string()) return engine::printable(value, 40);
  if (!value.is_array() || value.empty()) return engine::printable(dumped, 40);
  std::string text;
  for (const json& item : value) text += (text.empty() ? "" : "+") + plain_value(item.dump());
  return engine::printable(text, 40);
}

// "dense", "p=0.3", "p=0.3, model.depth=20, precision.phases=search+retrain".
std::string label_of(const Row& row, const std::vector<std::string>& keys) {
  std::vector<std::string> parts;
  if (row.dense()) parts.push_back("dense");
  for (const std::string& key : keys) {
    if (key == "early_bird.enabled" || !row.settings.contains(key)) continue;
    parts.push_back(short_name(key) + "=" + plain_value(row.settings.at(key)));
  }
  if (parts.empty()) parts.push_back("p=" + value_in(row, "early_bird.draw"));
  return fmt::format("{}", fmt::join(parts, ", "));
}

// --- numbers ---

// The network a run trained in the end; averaged weights are beside it.
const json& trained_network(const json& report) {
  const json& networks = report["networks"];
  const bool ticket = networks.size() > 1 && networks[1]["label"].get<std::string>().starts_with("ticket");
  return networks[ticket ? 1 : 0];
}

const json& draw_epoch(const json& report) {
  return at(report, {"early_bird", "draw", "epoch"});
}

json statistics(const std::vector<double>& values) {
  if (values.empty()) return nullptr;
  const auto n = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (double v : values) mean += v / n;
  for (double v : values) squares += (v - mean) * (v - mean);
  return {{"mean", mean},
          {"std", values.size() > 1 ? json(std::sqrt(squares / (n - 1))) : json(nullptr)},
          {"n", values.size()}};
}

template <class Value>
json over_runs(const json& reports, const Row& row, Value value) {
  std::vector<double> values;
  for (size_t i : row.runs)
    if (reports[i]["state"] == "finished")
      if (const json& v = value(reports[i]); v.is_number()) values.push_back(v);
  return statistics(values);
}

json row_json(const json& reports, const Row& row, const std::string& label) {
  json seeds = json::array();
  for (size_t i : row.runs) seeds.push_back(reports[i]["seed"]);
  json r = {{"label", label},
            {"runs", row.runs},
            {"seeds", seeds},
            {"ratio", trained_network(reports[row.runs[0]])["ratio"]},
            {"draw_epoch", over_runs(reports, row, draw_epoch)}};
  const std::pair<const char*, const char*> columns[] = {{"top1", "top1_last"},
                                                         {"top5", "top5_last"},
                                                         {"params", "params"},
                                                         {"flops_per_image", "flops_per_image"},
                                                         {"training_flops", "training_flops"},
                                                         {"seconds", "seconds"},
                                                         {"joules", "joules"}};
  for (const auto& [name, of] : columns)
    r[name] = over_runs(reports, row,
                        [of = of](const json& report) -> const json& { return trained_network(report)[of]; });
  return r;
}

// --- accuracy against the epoch of the draw ---

// Rows with the same key differ only by the ratio and by when they drew. None for dense networks and for
// tickets that did not go on with their weights: those are another experiment.
std::string draw_experiment(const Row& row) {
  if (row.dense() || value_in(row, "early_bird.criterion") != "\"bn_gamma\"" ||
      value_in(row, "early_bird.after.weights") != "\"keep\"" ||
      value_in(row, "early_bird.after.schedule") != "\"continue\"")
    return "";
  std::string key;
  for (const auto& [name, value] : row.settings)
    if (name != "early_bird.draw" && name != "early_bird.draw_at" && name != "early_bird.deadline" &&
        name != "early_bird.on_not_found")
      key += name + "=" + value + "\n";
  return key;
}

json curve_json(const std::string& label, const json& rows, const std::vector<size_t>& members) {
  json points = json::array();
  for (const size_t i : members)
    if (rows[i]["draw_epoch"].is_object() && rows[i]["top1"].is_object())
      points.push_back({{"row", i}, {"epoch", rows[i]["draw_epoch"]["mean"]}, {"top1", rows[i]["top1"]}});
  std::sort(points.begin(), points.end(),
            [](const json& a, const json& b) { return a["epoch"] < b["epoch"]; });
  return {{"label", label}, {"ratio", rows[members[0]]["ratio"]}, {"points", points}};
}

// Null where no ratio was drawn at two different epochs.
json draw_epochs_json(const std::vector<Row>& rows, const json& list) {
  std::map<std::string, std::map<std::string, std::vector<size_t>>> experiments;  // by experiment, by ratio
  json dense = nullptr;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].dense()) dense = list[i]["top1"];
    const std::string experiment = draw_experiment(rows[i]);
    if (!experiment.empty()) experiments[experiment][value_in(rows[i], "early_bird.draw")].push_back(i);
  }
  json curves = json::array();
  for (const auto& [experiment, ratios] : experiments)
    for (const auto& [ratio, members] : ratios) {
      json curve = curve_json("p=" + ratio, list, members);
      const json& points = curve["points"];
      if (points.size() > 1 && points.front()["epoch"] != points.back()["epoch"]) curves.push_back(curve);
    }
  if (curves.empty()) return nullptr;
  const auto is_dense = [](const Row& row) { return row.dense(); };
  if (std::count_if(rows.begin(), rows.end(), is_dense) != 1) dense = nullptr;
  return {{"curves", curves}, {"dense", dense}};
}

}  // namespace

json comparison_json(const std::vector<RunFiles>& runs, const json& reports,
                     const std::vector<std::string>& names) {
  if (runs.size() < 2) return nullptr;
  const std::vector<Row> rows = rows_of(runs);
  const std::vector<std::string> keys = label_keys(rows);
  json list = json::array();
  bool joules = true;
  for (const Row& row : rows) {
    const std::string label = names.empty() ? label_of(row, keys) : names[row.runs[0]];
    list.push_back(row_json(reports, row, label));
    joules = joules && !list.back()["joules"].is_null();
  }
  json draws = draw_epochs_json(rows, list);
  return {{"rows", std::move(list)},
          {"cost", joules ? "joules" : "training_flops"},
          {"draw_epochs", std::move(draws)}};
}

}  // namespace eb::tools
