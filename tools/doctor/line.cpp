#include "tools/doctor/line.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

namespace eb::tools {

std::string size_text(double bytes) {
  return bytes < gib ? fmt::format("{:.0f} MiB", bytes / mib) : fmt::format("{:.1f} GiB", bytes / gib);
}

std::string text_of(const fs::path& file) {
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

std::string first_line_of(const fs::path& file) {
  std::string line;
  std::ifstream in(file);
  std::getline(in, line);
  return line;
}

}  // namespace eb::tools
