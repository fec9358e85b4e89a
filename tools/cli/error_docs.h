// What docs/errors.md says, from the table of error codes.
#pragma once
#include <string>

namespace eb::tools {

std::string error_reference();

}  // namespace eb::tools
