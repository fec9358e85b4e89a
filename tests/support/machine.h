// A machine of files: proc, sys and dev below a folder, as the doctor reads them.
#pragma once
#include "support/run_engine.h"

namespace eb::test {

class MachineFiles {
 public:
  // The text of a file whose path starts at the root: "proc/meminfo".
  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = root() / path;
    std::filesystem::create_directories(file.parent_path());
    spit(file, text);
  }
  const std::filesystem::path& root() const { return dir_.path(); }

 private:
  TempDir dir_;
};

}  // namespace eb::test
