#include "support/paths.h"

namespace eb::test {

const std::filesystem::path& source_dir() {
  static const std::filesystem::path path = EB_SOURCE_DIR;
  return path;
}

const std::filesystem::path& binary_dir() {
  static const std::filesystem::path path = EB_BINARY_DIR;
  return path;
}

}  // namespace eb::test
