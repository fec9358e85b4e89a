// The files of one run directory as far as they can be read: whatever is missing or damaged is null or empty,
// with a warning where it should have been there.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/config/config.h"
#include "engine/graph/graph.h"
#include "engine/run/record.h"
#include "pruning/early_bird_state.h"

namespace eb::tools {

struct RunFiles {
  std::filesystem::path path;
  bool locked = false;  // by a process, when status.json was about to be read
  nlohmann::json config, env;
  std::optional<engine::RunStatus> status;
  // summary.json, or what it would have said when status.json was last written.
  std::optional<engine::RunSummary> summary;
  engine::ProgressRecord progress;                // of the newest checkpoint
  std::optional<pruning::EarlyBirdState> search;  // of the newest checkpoint
  std::vector<std::string> command_lines;
  std::vector<engine::EpochRecord> epochs;  // sound lines of metrics.jsonl that close an epoch
  int64_t damaged_lines = 0;
  std::optional<engine::Config> known;  // the config's keys that this version knows; none if it refuses them
  std::optional<engine::Graph> graph;   // of the dense network
  std::vector<std::string> warnings;
};

// Error 4070 if `path` holds no run.
RunFiles read_run(const std::filesystem::path& path);

// Of a key like "early_bird.draw"; no value if the config does not hold it.
const nlohmann::json* config_value(const nlohmann::json& config, const std::string& key);

// True if the ticket has the whole schedule again after the draw.
bool restarts_schedule(const nlohmann::json& config);

// Steps of one epoch, 0 if no file says it.
int64_t steps_per_epoch(const RunFiles& run);
// Of the phases, in order: from the summary, or from the newest checkpoint for runs of older versions.
const std::vector<engine::PhaseRecord>& phases_of(const RunFiles& run);
// What the run says of its draw; none if there was none.
const std::optional<engine::DrawRecord>& draw_of(const RunFiles& run);
// The dense network of its summary or, if `ticket`, the other; what is not there is not measured.
engine::NetworkRecord network_of(const RunFiles& run, bool ticket);

}  // namespace eb::tools
