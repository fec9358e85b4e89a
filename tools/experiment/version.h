// Facts about this build, as runs record them, and with the vendor's libraries of this machine, as
// `eb_engine version` prints them: that looks for the libraries, which takes a moment where there are some.
#pragma once
#include <nlohmann/json_fwd.hpp>

namespace eb::tools {

nlohmann::json version_info();
nlohmann::json version_info_with_libraries();

}  // namespace eb::tools
