// train/CLASS/FILE and test/CLASS/FILE (or val/). Classes are the sorted folder names of train/, files are
// sorted by name. What a file is, is decided by its first bytes when it is read; its name only says that it
// means to be an image.
#include <xxhash.h>

#include <algorithm>
#include <array>

#include "data/dataset.h"
#include "data/decode.h"
#include "data/file_bytes.h"
#include "engine/base/error.h"
#include "engine/base/error_codes.h"

namespace eb::data {
namespace fs = std::filesystem;
namespace {

constexpr size_t max_file_bytes = size_t{256} << 20;

struct File {
  uint32_t folder;  // class
  std::string name;
};

// Names that promise an image, as torchvision's ImageFolder lists them.
bool promises_image(const fs::path& path) {
  static constexpr std::array<const char*, 10> endings = {".jpg", ".jpeg", ".png",  ".ppm",  ".bmp",
                                                          ".pgm", ".tif",  ".tiff", ".webp", ".gif"};
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return std::find(endings.begin(), endings.end(), ending) != endings.end();
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> found;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    found.push_back(it->path());
  if (error)
    throw Error(errors::image_unreadable, folder.string() + ": " + error.message(),
                "check the folder's permissions");
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> folders_in(const fs::path& parent) {
  std::vector<std::string> names;
  std::error_code ignored;  // a symlink loop is no directory
  for (const auto& path : entries(parent))
    if (fs::is_directory(path, ignored) && path.filename().string()[0] != '.')
      names.push_back(path.filename().string());
  return names;
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

fs::path folder_of(const fs::path& root, Split split) {
  if (split == Split::train) return root / "train";
  return is_folder(root / "test") ? root / "test" : root / "val";
}

class ImageFolder : public Dataset {
 public:
  ImageFolder(const fs::path& root, Split split) : folder_(folder_of(root, split)) {
    if (!is_folder(folder_))
      throw Error(errors::no_data,
                  "no folder " + folder_.string() + (split == Split::test ? " or test/ beside it" : ""),
                  "an image folder holds train/ and test/ (or val/) with one folder of images per class");
    const auto here = folders_in(folder_);
    names_ = split == Split::test && is_folder(root / "train") ? folders_in(root / "train") : here;
    check_classes(here);
    for (uint32_t c = 0; c < names_.size(); ++c) add_class(c);
    if (files_.empty())
      throw Error(errors::data_layout, folder_.string() + ": no images",
                  "put .jpg or .png files into " + (folder_ / "CLASS").string());
  }
  int64_t size() const override { return static_cast<int64_t>(files_.size()); }
  const std::vector<std::string>& class_names() const override { return names_; }
  int32_t label(int64_t i) const override { return static_cast<int32_t>(files_[i].folder); }
  Image image(int64_t i, int short_side) const override {
    return decode(read_bytes(path(i), max_file_bytes), describe(i), {.short_side = short_side});
  }
  std::string describe(int64_t i) const override { return path(i).string(); }
  uint64_t fingerprint() const override { return fingerprint_; }

 private:
  fs::path path(int64_t i) const { return folder_ / names_[files_[i].folder] / files_[i].name; }

  void check_classes(const std::vector<std::string>& here) const {
    if (here.empty())
      throw Error(errors::data_layout, folder_.string() + ": no class folders",
                  "put each class's images into a folder of its own");
    for (const auto& name : here)
      if (!std::binary_search(names_.begin(), names_.end(), name))
        throw Error(errors::data_layout, (folder_ / name).string() + ": train/ has no class of that name",
                    "test images need the class folders of train/");
  }

  void add_class(uint32_t c) {
    if (!is_folder(folder_ / names_[c])) return;  // a class without test images
    for (const auto& path : entries(folder_ / names_[c])) {
      const std::string name = path.filename().string();
      if (name[0] == '.' || !promises_image(path)) continue;
      files_.push_back({c, name});
      std::error_code unknown;
      const uint64_t size = fs::file_size(path, unknown);  // whatever is no file is reported when it is read
      const std::string key = names_[c] + "/" + name + ":" + std::to_string(unknown ? 0 : size);
      fingerprint_ = XXH3_64bits_withSeed(key.data(), key.size(), fingerprint_);
    }
  }

  fs::path folder_;
  std::vector<std::string> names_;
  std::vector<File> files_;
  uint64_t fingerprint_ = 0;
};

}  // namespace

std::shared_ptr<const Dataset> open_image_folder(const fs::path& root, Split split) {
  return std::make_shared<ImageFolder>(root, split);
}

}  // namespace eb::data
