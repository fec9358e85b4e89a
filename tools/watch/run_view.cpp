#include "tools/watch/run_view.h"

#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/phase.h"
#include "engine/base/text.h"
#include "engine/run/names.h"
#include "tools/plot/text_plot.h"
#include "tools/record/run_metrics.h"

namespace eb::tools {

namespace fs = std::filesystem;
using nlohmann::json;

std::optional<double> number(const json& line, const std::string& key) {
  const auto it = line.find(key);
  if (it == line.end() || !it->is_number()) return {};
  return it->get<double>();
}

static std::string text(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? engine::terminal_text(it->get<std::string>()) : "";
}

// A counter from a file, which may say anything.
static int64_t count(const json& object, const char* key) {
  return static_cast<int64_t>(std::clamp(number(object, key).value_or(0), 0.0, 1e15));
}

// Or null: a file may be missing, or half written by something else.
static json read_object(const fs::path& path) {
  try {
    json value = engine::try_parse_json(engine::read_file(path, size_t{1} << 26));
    if (value.is_object()) return value;
  } catch (const Error&) {
  }
  return nullptr;
}

static json at_path(const json& config, const char* pointer) {
  const json::json_pointer p(pointer);
  return config.contains(p) ? config.at(p) : json();
}

std::string RunView::ending() const {
  if (!ended()) return "running";
  if (state.name == "finished") return "finished";
  if (state.name == "stopped") return "stopped with a checkpoint; the same command goes on";
  if (state.name == "unknown") return "not running; no file says how far it came";
  if (!state.exit_code.is_null()) return fmt::format("failed with exit code {}", state.exit_code.dump());
  return "interrupted: its process is gone; the same command goes on from the last checkpoint";
}

RunReader::RunReader(fs::path run) : run_(std::move(run)) {
  check_is_run(run_);
}

const RunView& RunReader::read() {
  const bool locked = is_locked(run_);
  std::error_code error;
  const auto size = fs::file_size(run_ / engine::file_names::metrics, error);
  const auto time =
      error ? fs::file_time_type{} : fs::last_write_time(run_ / engine::file_names::metrics, error);
  if (const std::pair now{error ? 0 : size, time}; now != seen_ || config_.is_null()) {
    seen_ = now;
    config_ = read_object(run_ / engine::file_names::config);
    read_metrics();
  }
  read_status(locked);
  return view_;
}

// --- metrics.jsonl ---

// Steps the whole run has; a schedule that restarted at the draw added some. 0: not known yet.
static int64_t end_step(const json& config, const std::vector<json>& epochs) {
  const json duration = at_path(config, "/train/duration");
  const int64_t epoch = epochs.empty() ? 0 : count(epochs.back(), "epoch");
  if (!duration.is_string() || epoch == 0) return 0;
  const auto words = duration.get<std::string>();
  const double amount = std::clamp(std::strtod(words.c_str(), nullptr), 0.0, 1e12);
  const double per_epoch =  // the first line may be a damaged one
      static_cast<double>(count(epochs.front(), "step")) /
      static_cast<double>(count(epochs.front(), "epoch"));
  const double steps = words.ends_with("ep") ? amount * per_epoch : amount;
  const auto retrained = std::find_if(epochs.begin(), epochs.end(), [](const json& e) {
    return text(e, "phase") == name_of(engine::Phase::retrain);
  });
  const bool restarts = at_path(config, "/early_bird/after/schedule") == "restart";
  const double before =
      restarts && retrained != epochs.end() ? static_cast<double>(count(*retrained, "step")) - per_epoch : 0;
  return static_cast<int64_t>(steps + before);
}

// At the speed of the last epoch; evaluations are not counted.
static std::optional<double> seconds_left(const RunView& v) {
  if (v.end_step == 0) return {};
  const json& last = v.epochs.back();
  const double first_step =
      v.epochs.size() > 1 ? static_cast<double>(count(v.epochs[v.epochs.size() - 2], "step")) : 0;
  const double steps = static_cast<double>(count(last, "step")) - first_step;
  const auto seconds = number(last, "perf/seconds");
  if (!seconds || steps <= 0) return {};
  return static_cast<double>(std::max<int64_t>(0, v.end_step - v.step)) * *seconds / steps;
}

void RunReader::read_metrics() {
  engine::Metrics metrics;
  try {
    metrics = engine::read_metrics(run_ / engine::file_names::metrics);
  } catch (const Error&) {  // not there yet
  }
  view_ = {};
  view_.name = text(config_, "name");
  if (const json t = at_path(config_, "/early_bird/threshold"); t.is_number())
    view_.threshold = t.get<double>();
  RunMetrics sound = sound_lines(std::move(metrics));
  view_.epochs = std::move(sound.epochs);
  view_.batches = std::move(sound.batches);
  view_.damaged = sound.damaged;
  for (const auto* lines : {&view_.epochs, &view_.batches})
    if (!lines->empty() && count(lines->back(), "step") >= view_.step) {
      view_.step = count(lines->back(), "step");
      view_.phase = text(lines->back(), "phase");
    }
  view_.end_step = end_step(config_, view_.epochs);
  view_.seconds_left = seconds_left(view_);
}

// --- status.json ---

static std::optional<double> seconds_since(const std::string& utc) {
  std::tm parts{};
  if (!::strptime(utc.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts)) return {};
  return std::max(0.0, std::difftime(std::time(nullptr), ::timegm(&parts)));
}

void RunReader::read_status(bool locked) {
  const json status = read_object(run_ / engine::file_names::status);
  const bool has_summary = !read_object(run_ / engine::file_names::summary).is_null();
  view_.state = run_state(locked, status, has_summary);
  view_.silent_seconds = seconds_since(text(status, "heartbeat"));
  if (seen_.first > 0) {
    const auto age = fs::file_time_type::clock::now() - seen_.second;
    const double seconds = std::max(0.0, std::chrono::duration<double>(age).count());
    view_.silent_seconds = std::min(seconds, view_.silent_seconds.value_or(seconds));
  }
}

}  // namespace eb::tools
