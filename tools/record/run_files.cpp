#include "tools/record/run_files.h"

#include <algorithm>
#include <sstream>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/run/names.h"
#include "engine/train/model_config.h"
#include "pruning/early_bird.h"
#include "tools/experiment/experiment_fields.h"
#include "tools/record/run_metrics.h"
#include "tools/record/run_status.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;

static bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

static std::string text_of(RunFiles& run, const std::string& name) {
  if (!is_there(run.path / name)) return "";
  try {
    return read_file(run.path / name, size_t{1} << 30);
  } catch (const Error& e) {
    run.warnings.push_back(utf8(e.message()));
    return "";
  }
}

static json object_of(RunFiles& run, const std::string& name) {
  const std::string text = text_of(run, name);
  if (text.empty()) return nullptr;
  json value = try_parse_json(text);
  if (value.is_object()) return value;
  run.warnings.push_back(name + " holds no JSON object and was left out");
  return nullptr;
}

static void read_metrics_lines(RunFiles& run) {
  if (!is_there(run.path / file_names::metrics)) return;
  Metrics metrics;
  try {
    metrics = read_metrics(run.path / file_names::metrics);
  } catch (const Error& e) {
    run.warnings.push_back(utf8(e.message()));
  }
  RunMetrics sound = sound_lines(metrics);
  run.damaged_lines = sound.damaged;
  run.epochs = std::move(sound.epochs);
}

// What a checkpoint of a run with BlockMetrics knows of its phases' arithmetic, which the summary has in
// them.
static void add_formats(const json& state, std::vector<PhaseRecord>& phases) {
  const json& formats = lenient::list(lenient::value(lenient::value(state, "hooks"), "blocks"), "phases");
  for (size_t i = 0; i < std::min(formats.size(), phases.size()); ++i)
    if (!phases[i].format.precision) phases[i].format = format_from_json(formats[i]);
}

// Of the checkpoint that latest.json names, without its tensors: this says how far the run came.
static void read_newest_state(RunFiles& run) {
  const std::string directory = std::string(file_names::checkpoints) + "/";
  const std::string step = lenient::text(object_of(run, directory + file_names::latest), "path");
  if (step.empty() || step.find('/') != step.npos) return;
  const json state = object_of(run, directory + step + "/" + file_names::state);
  run.progress = progress_from_json(state);
  run.search = pruning::saved_early_bird(state);
  add_formats(state, run.progress.phases);
}

// The newer of summary.json and the one in status.json.
static void read_summary(RunFiles& run) {
  if (const json summary = object_of(run, file_names::summary); summary.is_object())
    run.summary = summary_from_json(summary);
  const auto steps = [](const std::optional<RunSummary>& s) { return s ? s->steps.value_or(-1) : -1; };
  if (run.status && steps(run.status->summary) > steps(run.summary)) run.summary = run.status->summary;
}

const json* config_value(const json& config, const std::string& key) {
  const json* here = &config;
  std::istringstream words(key);
  for (std::string part; std::getline(words, part, '.');) {
    if (!here->is_object() || !here->contains(part)) return nullptr;
    here = &(*here)[part];
  }
  return here;
}

bool restarts_schedule(const json& config) {
  const json* schedule = config_value(config, "early_bird.after.schedule");
  return schedule && *schedule == json(pruning::EarlyBirdConfig::Schedule::restart);
}

// Keys of another version are left out: the report is of the run, not of its config's spelling.
static json known_keys(const json& config) {
  json tree = json::object();
  for (const std::string& key : experiment_fields().keys()) {
    const json* value = config_value(config, key);
    if (!value) continue;
    std::string pointer("/");
    pointer += key;
    std::replace(pointer.begin(), pointer.end(), '.', '/');
    tree[json::json_pointer(pointer)] = *value;
  }
  return tree;
}

static void understand_config(RunFiles& run) {
  if (!run.config.is_object()) {
    run.warnings.push_back(std::string(file_names::config) +
                           " is missing or damaged: what was asked is not known");
    return;
  }
  try {
    run.known = config_from_json(experiment_fields(), known_keys(run.config), file_names::config);
    run.graph = graph_of(*run.known);
  } catch (const Error& e) {
    run.warnings.push_back(utf8("this version does not understand the run's config: " + e.message()));
  }
}

RunFiles read_run(const fs::path& path) {
  check_is_run(path);
  RunFiles run;
  run.path = path;
  run.locked = is_locked(path);
  run.config = object_of(run, file_names::config);
  run.env = object_of(run, file_names::environment);
  if (const json status = object_of(run, file_names::status); status.is_object())
    run.status = status_from_json(status);
  read_newest_state(run);
  read_summary(run);
  std::istringstream lines(text_of(run, file_names::arguments));
  for (std::string line; std::getline(lines, line);) run.command_lines.push_back(utf8(line));
  read_metrics_lines(run);
  understand_config(run);
  return run;
}

int64_t steps_per_epoch(const RunFiles& run) {
  if (run.progress.steps_per_epoch) return *run.progress.steps_per_epoch;
  return run.epochs.empty() ? 0 : run.epochs.front().step / run.epochs.front().epoch;
}

const std::vector<PhaseRecord>& phases_of(const RunFiles& run) {
  return run.summary && !run.summary->phases.empty() ? run.summary->phases : run.progress.phases;
}

const std::optional<DrawRecord>& draw_of(const RunFiles& run) {
  static const std::optional<DrawRecord> none;
  if (run.summary) return run.summary->search ? run.summary->search->draw : none;
  return run.search ? run.search->draw : none;
}

NetworkRecord network_of(const RunFiles& run, bool ticket) {
  if (!run.summary) return {};
  return (ticket ? run.summary->ticket : run.summary->dense).value_or(NetworkRecord{});
}

}  // namespace eb::tools
