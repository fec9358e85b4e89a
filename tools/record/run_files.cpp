#include "tools/record/run_files.h"

#include <algorithm>
#include <sstream>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/run/names.h"
#include "engine/train/model_config.h"
#include "tools/experiment/experiment_fields.h"
#include "tools/record/run_metrics.h"
#include "tools/record/run_status.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;

static const json nothing = nullptr;

const json& at(const json& j, const std::vector<std::string>& keys) {
  const json* here = &j;
  for (const std::string& key : keys) {
    if (!here->is_object()) return nothing;
    const auto found = here->find(key);
    if (found == here->end()) return nothing;
    here = &*found;
  }
  return *here;
}

json number_at(const json& j, const std::vector<std::string>& keys) {
  const json& value = at(j, keys);
  return value.is_number() ? value : nothing;
}

json string_at(const json& j, const std::vector<std::string>& keys) {
  const json& value = at(j, keys);
  return value.is_string() ? value : nothing;
}

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
  RunMetrics sound = sound_lines(std::move(metrics));
  run.damaged_lines = sound.damaged;
  run.epochs = std::move(sound.epochs);
}

// Of the checkpoint that latest.json names, without its tensors: this says how far the run came.
static json newest_state(RunFiles& run) {
  const std::string directory = std::string(file_names::checkpoints) + "/";
  const json step = string_at(object_of(run, directory + file_names::latest), {"path"});
  if (!step.is_string() || step.get<std::string>().find('/') != std::string::npos) return nullptr;
  return object_of(run, directory + step.get<std::string>() + "/" + file_names::state);
}

static int64_t steps_of(const json& summary) {
  const json& steps = at(summary, {"steps"});
  return steps.is_number_integer() ? steps.get<int64_t>() : -1;
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
  run.status = object_of(run, file_names::status);
  run.state = newest_state(run);
  run.summary = object_of(run, file_names::summary);
  if (const json& now = at(run.status, {"summary"}); steps_of(now) > steps_of(run.summary)) run.summary = now;
  std::istringstream lines(text_of(run, file_names::arguments));
  for (std::string line; std::getline(lines, line);) run.command_lines.push_back(utf8(line));
  read_metrics_lines(run);
  understand_config(run);
  return run;
}

int64_t steps_per_epoch(const RunFiles& run) {
  if (const json& steps = at(run.state, {"steps_per_epoch"}); steps.is_number_integer()) return steps;
  for (const json& line : run.epochs) {
    const json &step = at(line, {"step"}), &epoch = at(line, {"epoch"});
    if (step.is_number_integer() && epoch > 0) return step.get<int64_t>() / epoch.get<int64_t>();
  }
  return 0;
}

const json& phases_of(const RunFiles& run) {
  const json& phases = at(run.summary, {"phases"});
  return phases.is_array() ? phases : at(run.state, {"phases"});
}

const json& draw_of(const RunFiles& run) {
  if (run.summary.is_object()) return at(run.summary, {"eb", "draw"});
  return at(run.state, {"hooks", "early_bird", "ticket"});
}

}  // namespace eb::tools
