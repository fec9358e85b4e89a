#include "tools/report/gather/comparison.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "pruning/early_bird.h"
#include "tools/record/run_status.h"
#include "tools/report/gather/comparison_rows.h"

namespace eb::tools {

using nlohmann::json;

namespace {

// --- numbers ---

// The network a run trained in the end; averaged weights are beside it.
const json& trained_network(const json& report) {
  const json& networks = report["networks"];
  const bool ticket = networks.size() > 1 && networks[1]["label"].get<std::string>().starts_with("ticket");
  return networks[ticket ? 1 : 0];
}

const json& draw_epoch(const json& report) {
  using engine::lenient::value;
  return value(value(value(report, "early_bird"), "draw"), "epoch");
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
    if (reports[i]["state"] == json(RunState::Name::finished))
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

// Rows that differ only by the ratio and by when they drew.
struct Experiment {
  Row common;
  std::map<std::string, std::vector<size_t>> rows;  // by ratio
  json curves = json::array();
};

// None where the network is dense or does not go on as it was drawn: those are other experiments.
bool goes_on(const Row& row) {
  using Config = pruning::EarlyBirdConfig;
  const auto has = [&](const char* key, auto value) { return row.setting(key) == json(value).dump(); };
  return !row.dense() && has("early_bird.criterion", Config::Criterion::bn_gamma) &&
         has("early_bird.after.weights", Config::Weights::keep) &&
         has("early_bird.after.schedule", Config::Schedule::go_on);
}

std::vector<Experiment> experiments_of(const std::vector<Row>& rows) {
  std::vector<Experiment> experiments;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!goes_on(rows[i])) continue;
    Row common{rows[i].settings, {}};
    for (const char* key : {"draw", "draw_at", "deadline", "on_not_found"})
      common.settings.erase(std::string("early_bird.") + key);
    const auto same = [&](const Experiment& e) { return e.common.settings == common.settings; };
    auto found = std::find_if(experiments.begin(), experiments.end(), same);
    if (found == experiments.end()) found = experiments.insert(found, {std::move(common), {}, json::array()});
    found->rows[rows[i].setting("early_bird.draw")].push_back(i);
  }
  return experiments;
}

// One for each ratio that was drawn at two epochs at least, earliest first.
json curves_of(const Experiment& experiment, const json& rows) {
  json curves = json::array();
  for (const auto& [ratio, members] : experiment.rows) {
    json points = json::array();
    for (const size_t i : members)
      if (rows[i]["draw_epoch"].is_object() && rows[i]["top1"].is_object())
        points.push_back({{"row", i}, {"epoch", rows[i]["draw_epoch"]["mean"]}, {"top1", rows[i]["top1"]}});
    std::stable_sort(points.begin(), points.end(),
                     [](const json& a, const json& b) { return a["epoch"] < b["epoch"]; });
    if (!points.empty() && points.front()["epoch"] != points.back()["epoch"])
      curves.push_back({{"label", "p=" + ratio}, {"ratio", rows[members[0]]["ratio"]}, {"points", points}});
  }
  return curves;
}

// True if `dense` is the network in which all of them search, trained alike.
bool belongs_to(const Row& dense, const std::vector<Experiment>& experiments) {
  return std::all_of(experiments.begin(), experiments.end(), [&](const Experiment& e) {
    return std::all_of(e.common.settings.begin(), e.common.settings.end(), [&](const auto& entry) {
      return entry.first.starts_with("early_bird.") || dense.setting(entry.first) == entry.second;
    });
  });
}

json dense_json(const std::vector<Row>& rows, const json& list, const std::vector<Experiment>& experiments) {
  json dense = nullptr;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].dense() || !belongs_to(rows[i], experiments)) continue;
    if (!dense.is_null()) return nullptr;  // which of them?
    dense = list[i]["top1"];
  }
  return dense;
}

json draw_epochs_json(const std::vector<Row>& rows, const json& list) {
  std::vector<Experiment> experiments = experiments_of(rows);
  for (Experiment& e : experiments) e.curves = curves_of(e, list);
  std::erase_if(experiments, [](const Experiment& e) { return e.curves.empty(); });
  if (experiments.empty()) return nullptr;
  std::vector<Row> common;
  for (const Experiment& e : experiments) common.push_back(e.common);
  const std::vector<std::string> labels = labels_of(common);
  json curves = json::array();
  for (size_t i = 0; i < experiments.size(); ++i)
    for (json& curve : experiments[i].curves) {
      if (!labels[i].empty()) curve["label"] = curve["label"].get<std::string>() + ", " + labels[i];
      curves.push_back(std::move(curve));
    }
  return {{"curves", std::move(curves)}, {"dense", dense_json(rows, list, experiments)}};
}

}  // namespace

json comparison_json(const std::vector<RunFiles>& runs, const json& reports,
                     const std::vector<std::string>& names) {
  if (runs.size() < 2) return nullptr;
  const std::vector<Row> rows = rows_of(runs);
  const std::vector<std::string> labels = labels_of(rows);
  json list = json::array();
  bool joules = true;
  for (size_t i = 0; i < rows.size(); ++i) {
    list.push_back(row_json(reports, rows[i], names.empty() ? labels[i] : names[rows[i].runs[0]]));
    joules = joules && !list.back()["joules"].is_null();
  }
  json draws = draw_epochs_json(rows, list);
  return {{"rows", std::move(list)},
          {"cost", joules ? "joules" : "training_flops"},
          {"draw_epochs", std::move(draws)}};
}

}  // namespace eb::tools
