#include "tools/experiment/model_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/text.h"

namespace eb::tools {

namespace fs = std::filesystem;

// No folder and no ending: "models/vgg16.json" and "vgg16.json" are files, there or not.
static bool is_name(const fs::path& word) {
  std::error_code none;
  const fs::file_status status = fs::status(word, none);
  return !word.empty() && word == word.filename() && word.extension() != ".json" &&
         (!fs::exists(status) || fs::is_directory(status));
}

static Error unknown_name(const std::string& name, const std::vector<fs::path>& folders) {
  std::set<std::string> known;
  for (const fs::path& folder : folders) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder, none))
      if (entry.path().extension() == ".json") known.insert(entry.path().stem().string());
  }
  const std::string near = did_you_mean(name, {known.begin(), known.end()});
  std::string hint = near.empty() ? "" : fmt::format("did you mean \"{}\"? ", near);
  hint += known.empty() ? "name a JSON file" : fmt::format("there are: {}", fmt::join(known, ", "));
  return Error(errors::config_unreadable,
               engine::quote_path(name) + " is neither a file nor the name of an experiment", hint);
}

static fs::path file_of(const fs::path& name, const std::vector<fs::path>& folders) {
  for (const fs::path& folder : folders) {
    std::error_code none;
    const fs::path file = folder / (name.string() + ".json");
    if (fs::is_regular_file(file, none)) return file;
  }
  throw unknown_name(name.string(), folders);
}

std::vector<fs::path> model_folders() {
  std::vector<fs::path> folders = {"models"};
  std::error_code none;
  const fs::path program = fs::read_symlink("/proc/self/exe", none);
  if (none) return folders;
  const fs::path above = program.parent_path().parent_path();
  folders.push_back(above / "share/eb_engine/models");
  folders.push_back(above / "models");
  return folders;
}

std::vector<fs::path> experiment_files(const std::vector<fs::path>& words,
                                       const std::vector<fs::path>& folders) {
  std::vector<fs::path> files;
  for (const fs::path& word : words) files.push_back(is_name(word) ? file_of(word, folders) : word);
  return files;
}

}  // namespace eb::tools
