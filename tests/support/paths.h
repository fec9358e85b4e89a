// Where the sources and the build lie: known to one object, so that no other is compiled anew in another
// folder.
#pragma once
#include <filesystem>

namespace eb::test {

const std::filesystem::path& source_dir();
const std::filesystem::path& binary_dir();

}  // namespace eb::test
