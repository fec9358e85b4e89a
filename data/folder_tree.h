// The folders of a set of pictures as a user or an operating system left them: which of them are classes, and
// what pictures lie below one.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace eb::data {

bool is_folder(const std::filesystem::path& path);

// Names of the folders in `parent`, sorted; without hidden ones and those that systems leave behind (@eaDir,
// lost+found, __MACOSX, ...). Error 3010 if it cannot be read, here and below.
std::vector<std::string> class_folders(const std::filesystem::path& parent);

// Paths relative to `folder` of what promises by its name to be a picture, at any depth, in the order of
// torchvision's ImageFolder: sorted by folder, then by name. Links are followed, but not in circles.
std::vector<std::string> pictures_below(const std::filesystem::path& folder);

// Whether two different names show as the same because one composes its accents and the other does not (NFC,
// NFD). A guess without Unicode tables, good for a hint.
bool look_alike(const std::string& a, const std::string& b);

}  // namespace eb::data
