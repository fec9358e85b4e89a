// What was asked of a run and where it ran, as flat lists.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "tools/record/run_files.h"
#include "tools/report/gather/report.h"

namespace eb::tools {

// In the order of the config's table: where the resolved config differs from the defaults. Keys of another
// version are left out.
std::vector<ConfigChange> config_changes(const RunFiles& run);
std::vector<EnvironmentEntry> environment_of(const RunFiles& run);

// Every key this version knows, with the run's value or the default, as JSON text.
std::map<std::string, std::string> settings_of(const RunFiles& run);
// How a run is named, watched and fed, not what it computes: "seed", "name", paths, checkpoint.*, log.*, ...
bool is_incidental(const std::string& key);

}  // namespace eb::tools
