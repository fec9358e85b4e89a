#include "tools/watch/run_view.h"

#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/run/names.h"
#include "tools/plot/text_plot.h"
#include "tools/record/run_files.h"
#include "tools/record/run_metrics.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;
namespace fs = std::filesystem;

// Or null: a file may be missing, or half written by something else.
static json read_object(const fs::path& path) {
  try {
    json value = try_parse_json(read_file(path, size_t{1} << 26));
    if (value.is_object()) return value;
  } catch (const Error&) {
  }
  return nullptr;
}

std::string RunView::ending() const {
  using Name = RunState::Name;
  switch (state.name) {
    case Name::running:
    case Name::finished:
      return std::string(name_of(state.name));
    case Name::stopped:
      return "stopped with a checkpoint; the same command goes on";
    case Name::unknown:
      return "not running; no file says how far it came";
    case Name::failed:
      break;
  }
  if (state.exit_code)
    return fmt::format("failed with exit code {}{}", *state.exit_code,
                       state.error.empty() ? "" : ": " + state.error);
  return "interrupted: its process is gone; the same command goes on from the last checkpoint";
}

RunReader::RunReader(fs::path run) : run_(std::move(run)) {
  check_is_run(run_);
}

const RunView& RunReader::read() {
  const bool locked = is_locked(run_);
  std::error_code error;
  const auto size = fs::file_size(run_ / file_names::metrics, error);
  const auto time = error ? fs::file_time_type{} : fs::last_write_time(run_ / file_names::metrics, error);
  if (const std::pair now{error ? 0 : size, time}; now != seen_ || config_.is_null()) {
    seen_ = now;
    config_ = read_object(run_ / file_names::config);
    read_metrics();
  }
  read_status(locked);
  return view_;
}

// --- metrics.jsonl ---

// Steps the whole run has; a schedule that restarted at the draw added some. 0: not known yet.
static int64_t end_step(const json& config, const std::vector<EpochRecord>& epochs) {
  const Words duration = lenient::words(lenient::value(config, "train"), "duration");
  if (!duration || epochs.empty()) return 0;
  const double amount = std::clamp(std::strtod(duration->c_str(), nullptr), 0.0, 1e12);
  const double per_epoch =  // the first line may be a damaged one
      static_cast<double>(epochs.front().step) / static_cast<double>(epochs.front().epoch);
  const double steps = duration->ends_with("ep") ? amount * per_epoch : amount;
  const auto retrained = std::find_if(epochs.begin(), epochs.end(),
                                      [](const EpochRecord& e) { return e.phase == Phase::retrain; });
  const double before = restarts_schedule(config) && retrained != epochs.end()
                            ? static_cast<double>(retrained->step) - per_epoch
                            : 0;
  return static_cast<int64_t>(steps + before);
}

// At the speed of the last epoch; evaluations are not counted.
static std::optional<double> seconds_left(const RunView& v) {
  if (v.end_step == 0) return {};
  const EpochRecord& last = v.epochs.back();
  const int64_t first_step = v.epochs.size() > 1 ? v.epochs[v.epochs.size() - 2].step : 0;
  const auto steps = static_cast<double>(last.step - first_step);
  if (!last.seconds || steps <= 0) return {};
  return static_cast<double>(std::max<int64_t>(0, v.end_step - v.step)) * *last.seconds / steps;
}

// Where the newest of these lines is, if that is further on.
template <class Record>
static void go_to_last(const std::vector<Record>& lines, RunView& view) {
  if (lines.empty() || lines.back().step < view.step) return;
  view.step = lines.back().step;
  view.phase = name_of(lines.back().phase);
}

void RunReader::read_metrics() {
  Metrics metrics;
  try {
    metrics = engine::read_metrics(run_ / file_names::metrics);
  } catch (const Error&) {  // not there yet
  }
  view_ = {};
  view_.name = terminal_text(lenient::text(config_, "name"));
  view_.threshold = lenient::number(lenient::value(config_, "early_bird"), "threshold");
  RunMetrics sound = sound_lines(metrics);
  view_.epochs = std::move(sound.epochs);
  view_.batches = std::move(sound.batches);
  view_.damaged = sound.damaged;
  go_to_last(view_.epochs, view_);
  go_to_last(view_.batches, view_);
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
  std::optional<RunStatus> status;
  if (const json written = read_object(run_ / file_names::status); written.is_object())
    status = status_from_json(written);
  const bool has_summary = !read_object(run_ / file_names::summary).is_null();
  view_.state = run_state(locked, status, has_summary);
  view_.silent_seconds = seconds_since(status ? status->heartbeat.value_or("") : "");
  if (seen_.first > 0) {
    const auto age = fs::file_time_type::clock::now() - seen_.second;
    const double seconds = std::max(0.0, std::chrono::duration<double>(age).count());
    view_.silent_seconds = std::min(seconds, view_.silent_seconds.value_or(seconds));
  }
}

}  // namespace eb::tools
