#include "tools/report/gather/comparison.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "engine/base/median.h"
#include "pruning/early_bird.h"
#include "tools/report/gather/comparison_rows.h"

namespace eb::tools {

namespace {

// --- numbers ---

using Reports = std::vector<RunReport>;

// The network a run trained in the end; averaged weights are beside it.
const NetworkReport& trained_network(const RunReport& run) {
  const bool ticket = run.networks.size() > 1 && run.networks[1].label.starts_with("ticket");
  return run.networks[ticket ? 1 : 0];
}

Number draw_epoch(const RunReport& run) {
  const auto at = run.early_bird ? run.early_bird->draw_epoch : std::nullopt;
  return at ? Number(at->value) : std::nullopt;
}

std::optional<Statistic> statistics_of(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  const auto n = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (double v : values) mean += v / n;
  for (double v : values) squares += (v - mean) * (v - mean);
  return Statistic{mean, values.size() > 1 ? Number(std::sqrt(squares / (n - 1))) : std::nullopt,
                   static_cast<int64_t>(values.size())};
}

// `value` of each run that has finished.
template <class Value>
std::optional<Statistic> over_runs(const Reports& reports, const Row& row, Value value) {
  std::vector<double> values;
  for (size_t i : row.runs)
    if (reports[i].state == RunState::Name::finished)
      if (const Number v = value(reports[i])) values.push_back(*v);
  return statistics_of(values);
}

// --- seconds ---

const std::optional<engine::PairedSteps>& pairs_of(const RunReport& run) {
  static const std::optional<engine::PairedSteps> none;
  return run.early_bird && run.early_bird->draw ? run.early_bird->draw->steps : none;
}

// Of a dense step, as the pairs of all runs have it that searched in a network of this size; of a run with
// pairs of its own, theirs.
Number dense_step_seconds(const Reports& reports, const RunReport& run) {
  if (const auto& own = pairs_of(run)) return own->dense_seconds;
  std::vector<double> seconds;
  for (const RunReport& other : reports)
    if (const auto& pairs = pairs_of(other);
        pairs && !other.phases.empty() && other.phases[0].flops_per_image == run.phases[0].flops_per_image &&
        other.phases[0].precision == run.phases[0].precision)
      seconds.push_back(pairs->dense_seconds);
  if (seconds.empty()) return std::nullopt;
  return engine::median(std::move(seconds));
}

// Runs of a comparison follow each other by hours: seconds of two of them can be compared only where their
// steps took the time that they took in pairs, side by side. "" if they did, or if nothing is known.
std::string busy_words(const Reports& reports, const RunReport& run) {
  if (run.phases.empty()) return "";
  const auto check = [](const PhaseReport& phase, Number step) -> std::string {
    const Number factor = step ? engine::misfit(phase.seconds.training, phase.steps, *step) : std::nullopt;
    if (!factor) return "";
    return fmt::format("the machine was busy: in {}, steps took {:.2f} times what they took in pairs",
                       phase.name ? engine::name_of(*phase.name) : "a phase", *factor);
  };
  std::string words = check(run.phases[0], dense_step_seconds(reports, run));
  if (const auto& pairs = pairs_of(run); words.empty() && run.phases.size() > 1 && pairs)
    words = check(run.phases[1], pairs->ticket_seconds);
  return words;
}

ComparisonRow row_of(const Reports& reports, const Row& row, const std::string& label) {
  const auto mean = [&](auto NetworkReport::*number) {
    return over_runs(reports, row, [=](const RunReport& run) { return trained_network(run).*number; });
  };
  ComparisonRow r{.label = label};
  for (size_t i : row.runs) {
    r.runs.push_back(static_cast<int64_t>(i));
    r.seeds.push_back(reports[i].seed);
  }
  r.ratio = trained_network(reports[row.runs[0]]).ratio;
  r.top1 = mean(&NetworkReport::top1_last);
  r.top5 = mean(&NetworkReport::top5_last);
  r.params = mean(&NetworkReport::params);
  r.flops_per_image = mean(&NetworkReport::flops_per_image);
  r.training_flops = mean(&NetworkReport::training_flops);
  r.seconds = mean(&NetworkReport::seconds);
  r.joules = mean(&NetworkReport::joules);
  r.draw_epoch = over_runs(reports, row, draw_epoch);
  r.step_speedup = over_runs(
      reports, row, [](const RunReport& run) { return run.speedup ? run.speedup->measured : std::nullopt; });
  for (size_t i : row.runs) {
    const std::string busy = busy_words(reports, reports[i]);
    if (reports[i].state != RunState::Name::finished || busy.empty()) continue;
    r.seconds.reset();
    r.seconds_note = fmt::format("seed {}: {}", engine::or_null(reports[i].seed).dump(), busy);
    break;
  }
  return r;
}

// --- accuracy against the epoch of the draw ---

// Rows that differ only by the ratio and by when they drew.
struct Experiment {
  Row common;
  std::map<std::string, std::vector<size_t>> rows;  // by ratio
  std::vector<DrawCurve> curves;
};

// None where the network is dense or does not go on as it was drawn: those are other experiments.
bool goes_on(const Row& row) {
  using Config = pruning::EarlyBirdConfig;
  const auto has = [&](const char* key, auto value) {
    return row.setting(key) == nlohmann::json(value).dump();
  };
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
    if (found == experiments.end()) found = experiments.insert(found, {std::move(common), {}, {}});
    found->rows[rows[i].setting("early_bird.draw")].push_back(i);
  }
  return experiments;
}

// One for each ratio that was drawn at two epochs at least, earliest first.
std::vector<DrawCurve> curves_of(const Experiment& experiment, const std::vector<ComparisonRow>& rows) {
  std::vector<DrawCurve> curves;
  for (const auto& [ratio, members] : experiment.rows) {
    std::vector<DrawPoint> points;
    for (const size_t i : members)
      if (rows[i].draw_epoch && rows[i].top1)
        points.push_back({static_cast<int64_t>(i), rows[i].draw_epoch->mean, rows[i].top1});
    std::stable_sort(points.begin(), points.end(),
                     [](const DrawPoint& a, const DrawPoint& b) { return a.epoch < b.epoch; });
    if (!points.empty() && points.front().epoch != points.back().epoch)
      curves.push_back({"p=" + ratio, rows[members[0]].ratio, std::move(points)});
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

std::optional<Statistic> dense_top1(const std::vector<Row>& rows, const std::vector<ComparisonRow>& list,
                                    const std::vector<Experiment>& experiments) {
  std::optional<Statistic> dense;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].dense() || !belongs_to(rows[i], experiments)) continue;
    if (dense) return std::nullopt;  // which of them?
    dense = list[i].top1;
  }
  return dense;
}

std::optional<DrawEpochs> draw_epochs_of(const std::vector<Row>& rows,
                                         const std::vector<ComparisonRow>& list) {
  std::vector<Experiment> experiments = experiments_of(rows);
  for (Experiment& e : experiments) e.curves = curves_of(e, list);
  std::erase_if(experiments, [](const Experiment& e) { return e.curves.empty(); });
  if (experiments.empty()) return std::nullopt;
  std::vector<Row> common;
  for (const Experiment& e : experiments) common.push_back(e.common);
  const std::vector<std::string> labels = labels_of(common);
  DrawEpochs draws;
  for (size_t i = 0; i < experiments.size(); ++i)
    for (DrawCurve& curve : experiments[i].curves) {
      if (!labels[i].empty()) curve.label += ", " + labels[i];
      draws.curves.push_back(std::move(curve));
    }
  draws.dense = dense_top1(rows, list, experiments);
  return draws;
}

}  // namespace

std::optional<ComparisonReport> comparison_of(const std::vector<RunFiles>& runs, const Reports& reports,
                                              const std::vector<std::string>& names) {
  if (runs.size() < 2) return std::nullopt;
  const std::vector<Row> rows = rows_of(runs);
  const std::vector<std::string> labels = labels_of(rows);
  ComparisonReport comparison{.cost = CostOf::joules};
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::string& label = names.empty() ? labels[i] : names[rows[i].runs[0]];
    comparison.rows.push_back(row_of(reports, rows[i], label));
    if (!comparison.rows.back().joules) comparison.cost = CostOf::training_flops;
  }
  comparison.draw_epochs = draw_epochs_of(rows, comparison.rows);
  return comparison;
}

}  // namespace eb::tools
