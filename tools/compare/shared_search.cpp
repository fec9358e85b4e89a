#include "tools/compare/shared_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/base/duration.h"
#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/run/names.h"
#include "engine/run/record.h"
#include "engine/run/run_dir.h"
#include "pruning/early_bird_state.h"

namespace eb::tools {

using engine::Config;
using engine::Duration;
using nlohmann::json;
namespace fs = std::filesystem;

// When a run draws at the latest.
static Duration last_draw(const Config& config) {
  for (const char* key : {"early_bird.draw_at", "early_bird.deadline"})
    if (!config.is_null(key)) return engine::parse_duration(config.get<std::string>(key));
  return engine::parse_duration(config.get<std::string>("train.duration"));
}

std::vector<std::string> shared_search_sets(const std::vector<Config>& runs) {
  Duration end = last_draw(runs.at(0));
  for (const Config& run : runs) {
    const Duration draw = last_draw(run);
    // Epochs and steps compare only with the data at hand: the whole duration is long enough for any.
    if (draw.unit != end.unit) {
      end = engine::parse_duration(run.get<std::string>("train.duration"));
      break;
    }
    end.count = std::max(end.count, draw.count);
  }
  return {fmt::format("early_bird.draw_at={}", to_string(end)), "early_bird.deadline=null",
          "early_bird.after.schedule=restart", "checkpoint.every=1ep", "checkpoint.milestones=1ep"};
}

bool search_reaches(const Config& search, const Config& wanted) {
  const Duration end = last_draw(search), needed = last_draw(wanted);
  return end.unit == needed.unit && end.count >= needed.count;
}

static std::vector<fs::path> newest_first(const fs::path& search) {
  std::vector<fs::path> steps;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(search / engine::file_names::checkpoints, none))
    if (entry.path().filename().string().starts_with(engine::file_names::step_prefix))
      steps.push_back(entry.path());
  std::sort(steps.rbegin(), steps.rend());
  return steps;
}

// Whether a run with this config, had it come to this state of the search, would not have drawn yet.
static bool still_searching(const json& state, const engine::ProgressRecord& progress, const Config& config) {
  const auto saved = pruning::saved_early_bird(state);
  if (!saved || !saved->searching || progress.batch != 0 || !progress.step || !progress.steps_per_epoch)
    return false;
  if (*progress.step >= last_draw(config).in_steps(*progress.steps_per_epoch)) return false;
  if (!config.is_null("early_bird.draw_at")) return true;
  const auto* watched = saved->search.of(config.get<double>("early_bird.draw"));
  return watched && !watched->found;
}

static void copy_bytes(const fs::path& from, const fs::path& to) {
  engine::replace_file(to, engine::read_file(from));
}

static void copy_history(const fs::path& search, const fs::path& to) {
  copy_bytes(search / engine::file_names::metrics, to / engine::file_names::metrics);
  engine::make_directories(to / engine::file_names::masks);
  for (const auto& entry : fs::directory_iterator(search / engine::file_names::masks))
    copy_bytes(entry.path(), to / engine::file_names::masks / entry.path().filename());
}

// None if it is damaged: an older one may do.
static std::optional<engine::Checkpoint> load_intact(const fs::path& step) {
  try {
    return engine::load_checkpoint(step);
  } catch (const Error& e) {
    switch (e.code()) {
      case errors::checkpoint_manifest:
      case errors::checkpoint_file:
      case errors::checkpoint_hash:
      case errors::checkpoint_content:
      case errors::checkpoint_newer:
        return std::nullopt;
      default:
        throw;
    }
  }
}

int64_t begin_from_search(const fs::path& search, const fs::path& to, const Config& config) {
  for (const fs::path& step : newest_first(search)) {
    std::optional<engine::Checkpoint> checkpoint = load_intact(step);
    if (!checkpoint) continue;
    const auto progress = engine::progress_from_json(checkpoint->state);
    if (progress.epoch.value_or(0) == 0 || !still_searching(checkpoint->state, progress, config)) continue;
    checkpoint->metadata["config"] = config.json().dump();
    const engine::RunDir run = engine::RunDir::open(to);
    copy_history(search, run.path());
    engine::CheckpointOptions options;
    options.best = progress.best && progress.best->epoch == progress.epoch;
    // Last: until it is there the run has not begun.
    const auto saved = engine::save_checkpoint(run.path() / engine::file_names::checkpoints, *progress.step,
                                               *checkpoint, options);
    return saved == engine::SaveResult::saved ? *progress.epoch : 0;
  }
  return 0;
}

bool is_begun(const fs::path& run) {
  std::error_code none;
  return fs::exists(run / engine::file_names::summary, none) ||
         fs::exists(run / engine::file_names::checkpoints / engine::file_names::latest, none);
}

}  // namespace eb::tools
