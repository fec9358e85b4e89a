// What was asked of a run and where it ran, as flat lists.
#pragma once
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tools/record/run_files.h"

namespace eb::tools {

// [{"key", "value", "default"}] in the order of the config's table: where the resolved config differs from
// the defaults. Keys of another version are left out.
nlohmann::json config_changes(const RunFiles& run);
// [{"key", "value"}]
nlohmann::json environment_json(const RunFiles& run);

// Every key this version knows, with the run's value or the default, as JSON text.
std::map<std::string, std::string> settings_of(const RunFiles& run);
// How a run is named, watched and fed, not what it computes: "seed", "name", paths, checkpoint.*, log.*, ...
bool is_incidental(const std::string& key);

}  // namespace eb::tools
