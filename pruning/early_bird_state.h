// What the search has in a checkpoint: EarlyBird and its hook save and load this, and whoever looks at
// another run's search reads it from here.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "engine/run/record.h"

namespace eb::pruning {

struct SearchState {
  struct Emerged {
    int64_t epoch = 0, step = 0;
    std::vector<double> distances;
  };
  struct Watched {
    double ratio = 0;
    nlohmann::json detector;        // EarlyBirdDetector::save()
    int64_t records = 0;            // masks in the ratio's history
    std::vector<double> distances;  // of the last check
    std::optional<Emerged> found;   // the first time
  };
  int64_t epoch = 0, step = 0, bits = 0;  // of the last check; bits of a mask
  std::vector<Watched> watched;

  const Watched* of(double ratio) const;  // null if it is not watched
};

struct EarlyBirdState {
  bool searching = true, done = false;
  std::optional<engine::DrawRecord> draw;
  engine::MaskChecks pending;  // of checks since the last line of metrics.jsonl
  int64_t checks = 0;
  double check_seconds = 0;
  SearchState search;
};

nlohmann::json to_json(const SearchState& state);
nlohmann::json to_json(const EarlyBirdState& state);
// json::exception if `j` is nothing that a search wrote.
SearchState search_from_json(const nlohmann::json& j);
EarlyBirdState early_bird_from_json(const nlohmann::json& j);

// Of a checkpoint's state.json; none if its run does not search, or if it is of a version that this one does
// not know.
std::optional<EarlyBirdState> saved_early_bird(const nlohmann::json& checkpoint_state);

}  // namespace eb::pruning
