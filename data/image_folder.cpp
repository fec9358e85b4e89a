// train/CLASS/FILE and test/CLASS/FILE (or val/, valid/, validation/), FILE at any depth. Classes are the
// sorted folder names of train/. What a file is, is decided by its first bytes when it is read; its name only
// says that it means to be an image.
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "data/dataset.h"
#include "data/decode.h"
#include "data/file_bytes.h"
#include "data/folder_tree.h"
#include "engine/base/error.h"
#include "engine/base/error_codes.h"

namespace eb::data {
namespace fs = std::filesystem;
namespace {

constexpr size_t max_file_bytes = size_t{256} << 20;
constexpr const char* test_folders[] = {"test", "val", "valid", "validation"};

struct File {
  uint32_t folder;   // class
  std::string name;  // relative to the class's folder
  uint64_t size;     // in bytes
};

bool is_class(const std::vector<std::string>& classes, const std::string& name) {
  return std::binary_search(classes.begin(), classes.end(), name);
}

// ImageNet's and Kaggle's test/ has no labels: it gives way to a folder that has. Empty if there is none at
// all.
fs::path labelled_folder(const fs::path& root, const std::vector<std::string>& classes) {
  fs::path first;
  for (const char* name : test_folders) {
    const fs::path folder = root / name;
    if (!is_folder(folder)) continue;
    for (const auto& inside : class_folders(folder))
      if (classes.empty() || is_class(classes, inside)) return folder;
    if (first.empty()) first = folder;
  }
  return first;
}

class ImageFolder : public Dataset {
 public:
  ImageFolder(const fs::path& root, Split split, bool allow_empty_classes) {
    if (is_folder(root / "train")) names_ = class_folders(root / "train");
    folder_ = split == Split::train ? root / "train" : labelled_folder(root, names_);
    if (!is_folder(folder_))
      throw Error(errors::no_data,
                  split == Split::train
                      ? "no folder " + folder_.string()
                      : fmt::format("no folder {}/ in {}", fmt::join(test_folders, "/, "), root.string()),
                  "an image folder holds train/ and test/ (or val/) with one folder of images per class");
    if (split == Split::test) note_choice(root);
    const auto here = class_folders(folder_);
    if (!is_folder(root / "train")) names_ = here;
    check_classes(here);
    for (uint32_t c = 0; c < names_.size(); ++c) add_class(c);
    if (files_.empty())
      throw Error(errors::data_layout, folder_.string() + ": no images",
                  "put .jpg or .png files into " + (folder_ / "CLASS").string());
    if (split == Split::train && !allow_empty_classes) refuse_empty_classes();
  }
  int64_t size() const override { return static_cast<int64_t>(files_.size()); }
  const std::vector<std::string>& class_names() const override { return names_; }
  int32_t label(int64_t i) const override { return static_cast<int32_t>(files_[i].folder); }
  Image image(int64_t i, int short_side) const override {
    return decode(read_bytes(path(i), max_file_bytes), describe(i), {.short_side = short_side});
  }
  std::string describe(int64_t i) const override { return path(i).string(); }
  std::string note() const override { return note_; }
  uint64_t fingerprint() const override { return fingerprint_; }
  void each_file(const FileVisitor& visit) const override {
    const fs::path split = folder_.filename();
    for (const File& f : files_) visit((split / names_[f.folder] / f.name).string(), f.size);
  }

 private:
  fs::path path(int64_t i) const { return folder_ / names_[files_[i].folder] / files_[i].name; }

  void note_choice(const fs::path& root) {
    const fs::path passed = root / test_folders[0];
    if (folder_ != passed && is_folder(passed))
      note_ = fmt::format("test images are those of {}: {} has no class folder of train/", folder_.string(),
                          passed.string());
  }

  void check_classes(const std::vector<std::string>& here) const {
    if (here.empty())
      throw Error(errors::data_layout, folder_.string() + ": no class folders",
                  "put each class's images into a folder of its own");
    for (const auto& name : here)
      if (!is_class(names_, name))
        throw Error(errors::data_layout, (folder_ / name).string() + ": train/ has no class of that name",
                    hint_for(name));
  }

  std::string hint_for(const std::string& unknown) const {
    for (const auto& name : names_)
      if (look_alike(name, unknown))
        return fmt::format(
            "the class {} of train/ looks the same but is written in other Unicode characters "
            "(NFC and NFD): give both the same name",
            name);
    return "test images need the class folders of train/";
  }

  void add_class(uint32_t c) {
    if (!is_folder(folder_ / names_[c])) return;  // a class without test images
    for (auto& name : pictures_below(folder_ / names_[c])) {
      std::error_code unknown;
      const uint64_t size =
          fs::file_size(folder_ / names_[c] / name, unknown);  // no file: said when it is read
      const uint64_t bytes = unknown ? 0 : size;
      const std::string key = names_[c] + "/" + name + ":" + std::to_string(bytes);
      fingerprint_ = XXH3_64bits_withSeed(key.data(), key.size(), fingerprint_);
      files_.push_back({c, std::move(name), bytes});
    }
  }

  // A class that nothing teaches is a folder that is there by mistake, and makes the network wrong for good.
  void refuse_empty_classes() const {
    std::vector<bool> taught(names_.size());
    for (const File& f : files_) taught[f.folder] = true;
    std::vector<std::string> empty;
    for (size_t c = 0; c < names_.size(); ++c)
      if (!taught[c]) empty.push_back(names_[c]);
    if (empty.empty()) return;
    constexpr size_t shown = 10;
    const std::string more = empty.size() > shown ? ", ..." : "";
    throw Error(
        errors::data_layout,
        fmt::format("{}: {} of {} classes without images: {}{}", folder_.string(), empty.size(),
                    names_.size(),
                    fmt::join(empty.begin(), empty.begin() + std::min(shown, empty.size()), ", "), more),
        "remove these folders, or set data.allow_empty_classes to true");
  }

  fs::path folder_;
  std::vector<std::string> names_;
  std::vector<File> files_;
  std::string note_;
  uint64_t fingerprint_ = 0;
};

}  // namespace

std::shared_ptr<const Dataset> open_image_folder(const fs::path& root, Split split,
                                                 bool allow_empty_classes) {
  return std::make_shared<ImageFolder>(root, split, allow_empty_classes);
}

}  // namespace eb::data
