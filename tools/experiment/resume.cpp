#include "tools/experiment/resume.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/run/names.h"
#include "tools/experiment/experiment_fields.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;
namespace fs = std::filesystem;

static json::json_pointer pointer_of(std::string key) {
  std::replace(key.begin(), key.end(), '.', '/');
  return json::json_pointer("/" + key);
}

RunDir open_run(const std::string& out, const Config& config) {
  return out.empty() ? RunDir::create("runs", config.get<std::string>("name")) : RunDir::open(out);
}

// Keys that change how a run is watched or how long it is, not what the next step computes.
static bool may_differ(const std::string& key) {
  static const std::vector<std::string> free = {"name",         "train.duration",  "train.eval_batch_size",
                                                "data.workers", "data.root",       "data.cache_mib",
                                                "swa.evaluate", "train.accumulate"};
  const bool of_ranks = key.starts_with("distributed.") && key != "distributed.shards";
  return of_ranks || key.starts_with("checkpoint.") || key.starts_with("log.") ||
         std::find(free.begin(), free.end(), key) != free.end();
}

// By its key or a section it lies in.
static bool is_allowed(const std::string& key, const std::vector<std::string>& allowed) {
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& a) { return key == a || key.starts_with(a + "."); });
}

// What the config would say by itself, the key left out: such a value follows train.duration and is nobody's
// choice. False for one that cannot be left out.
static bool is_derived(const Config& config, const std::string& key) {
  if (!config.table().find(key)->nullable) return false;
  json without = config.json();
  without[pointer_of(key)] = nullptr;
  try {
    return config_from_json(config.table(), without, key).at(key) == config.at(key);
  } catch (const Error&) {
    return false;
  }
}

// A run that is to be longer: what was derived from its duration, and is again, comes with it.
static bool follows_duration(const Config& before, const Config& now, const std::string& key) {
  return before.at("train.duration") != now.at("train.duration") && is_derived(before, key) &&
         is_derived(now, key);
}

void require_same_config(const Config& before, const Config& now, const std::vector<std::string>& allowed,
                         SessionObserver& observer) {
  std::vector<std::string> refused;
  for (const std::string& key : now.table().keys()) {
    if (before.at(key) == now.at(key)) continue;
    const std::string change = fmt::format("{}: {} -> {}", key, before.at(key).dump(), now.at(key).dump());
    if (is_allowed(key, allowed) || may_differ(key) || follows_duration(before, now, key))
      observer.on_message("resuming with " + change);
    else
      refused.push_back(change);
  }
  if (refused.empty()) return;
  throw Error(
      errors::config_changed,
      "this run was started with another config:\n    " + fmt::format("{}", fmt::join(refused, "\n    ")),
      "--allow-change KEY (or a section) takes the new value; a new --out starts anew");
}

std::optional<fs::path> checkpoint_to_resume(const RunDir& run, const std::string& resume,
                                             SessionObserver& observer) {
  const bool automatic = resume.empty() || resume == "auto" || resume == "must" || resume == "never";
  if (!automatic) return resolve_checkpoint(resume);
  const auto found = find_latest(run.path() / file_names::checkpoints);
  if (resume == "never" && found)
    throw Error(errors::run_exists, run.path().string() + " already holds a run",
                "another --out, or --resume auto to go on with it");
  if (!found && resume == "must")
    throw Error(errors::nothing_to_resume, "no checkpoint to resume in " + run.path().string(),
                "--resume auto starts a new run");
  if (!found) return std::nullopt;
  if (!found->warning.empty()) observer.on_message("warning: " + found->warning);
  return found->path;
}

bool resume_if_asked(Session& session, const RunDir& run, const std::string& resume, const Config& config,
                     const std::vector<std::string>& allow_change, SessionObserver& observer) {
  const auto path = checkpoint_to_resume(run, resume, observer);
  if (!path) return false;
  const Checkpoint checkpoint = load_checkpoint(*path);
  const auto before = config_from_json(experiment_fields(), checkpoint.config(), path->string());
  require_same_config(before, config, allow_change, observer);
  session.resume(checkpoint);
  observer.on_message("resuming from " + path->string());
  return true;
}

}  // namespace eb::tools
