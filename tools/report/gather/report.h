// What a report shows, from gathering to page: report.json as types (docs/report.md says what each is). Only
// report_fields.h knows the keys. What is empty was not measured or is not known: null in the file, never 0.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/enum_names.h"
#include "engine/run/record.h"
#include "tools/record/run_status.h"

namespace eb::tools {

using engine::Count;
using engine::Number;
using engine::Words;

// Checks every few steps lie between epochs. A whole one is written as an integer.
struct EpochNumber {
  double value = 0;
};

// How the best epoch of a network was picked.
enum class BestRule : uint8_t { holdout, test };
constexpr auto enum_names(BestRule) {
  return engine::names("on the hold-out", "on the test set");
}

// --- one run ---

struct NetworkReport {
  std::string label;
  Number ratio, top1_last, top5_last, top1_best;
  Count best_epoch;
  std::optional<BestRule> best_rule;
  Words top1_note;
  Count params, macs_per_image, flops_per_image, weight_bytes;
  Number training_flops, seconds;
  Words seconds_note;
  Number images_per_s;
  Count peak_memory_bytes;
  Number joules;
  Words energy_method;
};

struct PhaseSeconds {
  Number training, data_wait, forward, backward, optimizer, early_bird, evaluation, checkpoint, other;
};

struct PhaseReport {
  std::optional<engine::Phase> name;
  std::optional<EpochNumber> start_epoch;
  Words precision;
  Number images_per_s;
  PhaseSeconds seconds;
  Words energy_method;
  engine::PhaseFormat::Bytes bytes;
  Count start_step, steps, samples, params, flops_per_image, macs_per_image, peak_memory_bytes;
  Number joules;
};

// What the detector compared with the threshold at a check.
struct WindowDistance {
  EpochNumber epoch;
  Number distance;
};

// The masks of one watched ratio.
struct RatioReport {
  Number ratio;
  std::string name;
  Count bits, kept, emerged_index;
  std::optional<EpochNumber> emerged_epoch;
  Words ticket;                     // the file of the one that emerged
  std::vector<EpochNumber> epochs;  // of each mask
  std::vector<int64_t> differing;   // (n, n)
  std::vector<WindowDistance> window_distance;
};

struct SearchReport {
  Number threshold;
  Count window;
  Words compare, criterion, rule;
  std::optional<engine::DrawRecord> draw;
  std::optional<EpochNumber> draw_epoch;  // a draw between two epochs has a fraction
  std::vector<RatioReport> ratios;
};

struct LayerReport {
  std::string id;
  Count kept, total, group;
  bool held_up = false;
};

struct ConfigChange {
  std::string key;
  nlohmann::json value, default_value;
};

struct EnvironmentEntry {
  std::string key;
  nlohmann::json value;
};

struct EquivalenceReport {
  Number max_abs_difference;
};

struct RunReport {
  std::string path, name;
  Count seed;
  Words eb_engine;
  RunState::Name state = RunState::Name::unknown;
  Count exit_code;
  int64_t epochs_done = 0;
  Count epochs_planned;
  int64_t damaged_lines = 0;
  std::optional<std::vector<std::string>> bad_samples;  // none: of a version that did not write them down
  std::vector<ConfigChange> config_changes;
  std::vector<EnvironmentEntry> environment;
  std::vector<std::string> command_lines;
  std::vector<NetworkReport> networks;  // dense, then the ticket that was retrained, then averaged weights
  std::optional<engine::SpeedupRecord> speedup;
  std::vector<PhaseReport> phases;
  std::vector<engine::EpochRecord> epochs;
  std::optional<SearchReport> early_bird;  // of a run that searched
  std::vector<LayerReport> layers;
  std::optional<EquivalenceReport> equivalence;
  std::vector<std::string> warnings;
};

// --- several runs ---

struct Statistic {
  Number mean, std;
  Count n;
};

struct ComparisonRow {
  std::string label;
  std::vector<int64_t> runs;
  std::vector<Count> seeds;
  Number ratio;
  std::optional<Statistic> top1, top5, params, flops_per_image, training_flops, seconds, joules, draw_epoch;
  std::optional<Statistic> step_speedup;  // over the dense network, in pairs of steps at each run's draw
  Words seconds_note;                     // why there are no seconds
};

struct DrawPoint {
  int64_t row = 0;
  Number epoch;
  std::optional<Statistic> top1;
};

struct DrawCurve {
  std::string label;
  Number ratio;
  std::vector<DrawPoint> points;
};

struct DrawEpochs {
  std::vector<DrawCurve> curves;
  std::optional<Statistic> dense;
};

// What accuracy is drawn against.
enum class CostOf : uint8_t { training_flops, joules };
constexpr auto enum_names(CostOf) {
  return engine::names("training_flops", "joules");
}

struct ComparisonReport {
  std::vector<ComparisonRow> rows;
  CostOf cost = CostOf::training_flops;
  std::optional<DrawEpochs> draw_epochs;
};

struct Report {
  int64_t eb_report = 1;  // of the format
  std::string generated, eb_engine;
  std::vector<RunReport> runs;
  std::optional<ComparisonReport> comparison;  // of several runs
};

nlohmann::json to_json(EpochNumber epoch);
nlohmann::json to_json(const Report& report);
// Takes what it finds, from any JSON: a value that is missing or of another type is empty.
Report report_from_json(const nlohmann::json& j);

}  // namespace eb::tools
