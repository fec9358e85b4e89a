// Facts about this build, as `eb_engine version --json` prints them.
#pragma once
#include <nlohmann/json_fwd.hpp>

namespace eb::tools {

nlohmann::json version_info();

}  // namespace eb::tools
