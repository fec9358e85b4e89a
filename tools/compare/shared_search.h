// One search for all runs of a comparison that have the same seed: up to the draw they are the same run. The
// search trains the dense network to the latest draw any of them may make and keeps a checkpoint of every
// epoch; each run then begins from the last one at which it would still be searching.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "engine/config/config.h"

namespace eb::tools {

// The search's own overrides: when it ends, and what it keeps.
std::vector<std::string> shared_search_sets(const std::vector<engine::Config>& runs);

// True if a search with the config `search` goes on for as long as `wanted` does.
bool search_reaches(const engine::Config& search, const engine::Config& wanted);

// Makes `to` a run with `config` that stands where the search was; `eb_engine train --out to` goes on, to the
// same bits as a run of its own. Returns the epoch, or 0 if the search has no intact checkpoint that fits:
// nothing is written then.
int64_t begin_from_search(const std::filesystem::path& search, const std::filesystem::path& to,
                          const engine::Config& config);

// True once `run` has a checkpoint of its own, or is done.
bool is_begun(const std::filesystem::path& run);

}  // namespace eb::tools
