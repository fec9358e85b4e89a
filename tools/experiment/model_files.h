// Experiments by name: `eb_engine train quickstart` wherever the binary stands.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace eb::tools {

// Where a name is looked for, in this order: models/ of the current directory, share/eb_engine/models beside
// the folder of an installed binary, models/ beside a build folder.
std::vector<std::filesystem::path> model_folders();

// Each word that is no file but a name becomes FOLDER/NAME.json of the first folder that has it; everything
// else stays as it is. Error 2012 for a name that no folder has, with the nearest one and all that there are.
std::vector<std::filesystem::path> experiment_files(
    const std::vector<std::filesystem::path>& words,
    const std::vector<std::filesystem::path>& folders = model_folders());

}  // namespace eb::tools
