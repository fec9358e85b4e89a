#include "data/folder_tree.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"

namespace eb::data {
namespace fs = std::filesystem;
namespace {

constexpr std::array<std::string_view, 6> left_behind = {
    "@eaDir", "#recycle", "lost+found", "__MACOSX", "$RECYCLE.BIN", "System Volume Information"};

bool is_passed_over(const std::string& name) {
  return name[0] == '.' || std::find(left_behind.begin(), left_behind.end(), name) != left_behind.end();
}

// Names that promise an image, as torchvision's ImageFolder lists them.
bool promises_image(const std::string& name) {
  static constexpr std::array<const char*, 10> endings = {".jpg", ".jpeg", ".png",  ".ppm",  ".bmp",
                                                          ".pgm", ".tif",  ".tiff", ".webp", ".gif"};
  std::string ending = fs::path(name).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return std::find(endings.begin(), endings.end(), ending) != endings.end();
}

struct Entries {
  std::vector<std::string> folders, others;  // names, sorted; those that are passed over are not among them
};

Entries entries(const fs::path& folder) {
  std::error_code error, ignored;  // a symlink loop is no directory
  Entries found;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!is_passed_over(name)) (it->is_directory(ignored) ? found.folders : found.others).push_back(name);
  }
  if (error)
    throw Error(errors::image_unreadable, folder.string() + ": " + error.message(),
                "check the folder's permissions");
  std::sort(found.folders.begin(), found.folders.end());
  std::sort(found.others.begin(), found.others.end());
  return found;
}

struct Listed {
  std::string folder;  // relative; "" is the class folder itself
  std::vector<std::string> pictures;
};

bool is_in(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

// `above`: the real paths of the folders that led here; a link to one of them, or to what holds it, is a
// circle.
void list(const fs::path& root, const fs::path& relative, std::vector<fs::path>& above,
          std::vector<Listed>& out) {
  std::error_code error;
  const fs::path real = fs::canonical(root / relative, error);
  const auto holds = [&](const fs::path& p) { return is_in(p, real); };
  if (!error && std::any_of(above.begin(), above.end(), holds)) return;
  const Entries here = entries(root / relative);
  Listed l{relative.string(), {}};
  for (const auto& name : here.others)
    if (promises_image(name)) l.pictures.push_back((relative / name).string());
  out.push_back(std::move(l));
  above.push_back(real);
  for (const auto& name : here.folders) list(root, relative / name, above, out);
  above.pop_back();
}

// One sign for each letter, '?' for every letter that is not ASCII or has accents of its own behind it.
std::string shape_of(const std::string& name, bool& has_marks) {
  std::string shape;
  for (size_t i = 0; i < name.size(); ++i) {
    const auto byte = static_cast<unsigned char>(name[i]);
    const auto next = i + 1 < name.size() ? static_cast<unsigned char>(name[i + 1]) : 0;
    const bool mark = byte == 0xcc || (byte == 0xcd && next < 0xb0);  // U+0300 to U+036F
    if (mark && !shape.empty()) {
      shape.back() = '?';
      has_marks = true;
    } else if (byte < 0x80) {
      shape += name[i];
    } else if (byte >= 0xc0) {
      shape += '?';
    }
  }
  return shape;
}

}  // namespace

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::vector<std::string> class_folders(const fs::path& parent) {
  return entries(parent).folders;
}

std::vector<std::string> pictures_below(const fs::path& folder) {
  std::vector<Listed> folders;
  std::vector<fs::path> above;
  list(folder, "", above, folders);
  std::sort(folders.begin(), folders.end(),
            [](const Listed& a, const Listed& b) { return a.folder < b.folder; });
  std::vector<std::string> all;
  for (const Listed& l : folders) all.insert(all.end(), l.pictures.begin(), l.pictures.end());
  return all;
}

bool look_alike(const std::string& a, const std::string& b) {
  bool marks = false;
  return a != b && shape_of(a, marks) == shape_of(b, marks) && marks;
}

}  // namespace eb::data
