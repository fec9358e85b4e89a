#include "tools/record/run_metrics.h"

#include <algorithm>
#include <string_view>

#include "engine/base/phase.h"
#include "engine/run/names.h"

namespace eb::tools {

using nlohmann::json;

// Far beyond what train.duration allows in any time, far below where a double leaves integers out.
constexpr int64_t most = 1'000'000'000'000'000;

static const char* const drawn[] = {"train/loss",   "train/top1",       "train/batch_loss", "train/lr",
                                    "test/loss",    "test/top1",        "test/top5",        "holdout/top1",
                                    "perf/seconds", "perf/images_per_s"};

static bool is_count(const json& line, const char* key, int64_t least) {
  const auto found = line.find(key);
  return found != line.end() && found->is_number_integer() && *found >= least && *found <= most;
}

static bool has_phase(const json& line) {
  const auto found = line.find("phase");
  return found != line.end() && found->is_string() &&
         engine::value_of<engine::Phase>(found->get_ref<const std::string&>()).has_value();
}

static bool is_drawn(std::string_view key) {
  return key.starts_with(engine::file_names::distance_key) ||
         std::find(std::begin(drawn), std::end(drawn), key) != std::end(drawn);
}

static bool holds_numbers(const json& line) {
  const auto& members = line.get_ref<const json::object_t&>();
  return std::all_of(members.begin(), members.end(), [](const auto& member) {
    return !is_drawn(member.first) || member.second.is_number() || member.second.is_null();
  });
}

// An epoch that ends is counted from 1; within the first the count is still 0.
static bool is_sound(const json& line, int64_t first_epoch) {
  return is_count(line, "epoch", first_epoch) && is_count(line, "step", 0) && has_phase(line) &&
         holds_numbers(line);
}

RunMetrics sound_lines(engine::Metrics metrics) {
  RunMetrics sound{{}, {}, metrics.damaged};
  for (json& line : metrics.lines) {
    const json split = line.value("split", json());
    if (split == "epoch" && is_sound(line, 1))
      sound.epochs.push_back(std::move(line));
    else if (split == "train" && is_sound(line, 0))
      sound.batches.push_back(std::move(line));
    else
      ++sound.damaged;
  }
  return sound;
}

}  // namespace eb::tools
