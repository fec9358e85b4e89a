// The binary files of CIFAR-10 (label, 3072 pixel bytes) and CIFAR-100 (coarse label, fine label, pixels), as
// https://www.cs.toronto.edu/~kriz/cifar.html describes them: planes R, G, B of 32 rows of 32.
#include <xxhash.h>

#include <fstream>

#include "data/dataset.h"
#include "data/file_bytes.h"
#include "engine/base/error.h"
#include "engine/base/error_codes.h"

namespace eb::data {
namespace {

constexpr int side = 32, plane = side * side;

std::vector<std::string> files_of(int classes, Split split) {
  const bool train = split == Split::train;
  if (classes == 100) return {train ? "train.bin" : "test.bin"};
  if (!train) return {"test_batch.bin"};
  return {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"};
}

std::vector<std::string> names_of(const std::filesystem::path& root, int classes) {
  std::vector<std::string> names;
  std::ifstream file(root / (classes == 100 ? "fine_label_names.txt" : "batches.meta.txt"));
  for (std::string line; static_cast<int>(names.size()) < classes && std::getline(file, line);)
    if (!line.empty()) names.push_back(line);
  for (int i = static_cast<int>(names.size()); i < classes; ++i)
    names.push_back("class " + std::to_string(i));
  return names;
}

// Where the files may be instead: a folder below, or there in the Python version.
std::string hint_for(const std::filesystem::path& root, int classes) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  std::vector<fs::path> folders;
  for (fs::directory_iterator it(root, ignored), end; !ignored && it != end; it.increment(ignored))
    folders.push_back(it->path());
  const auto has = [&](const fs::path& folder, const char* name) {
    return fs::is_regular_file(folder / name, ignored);
  };
  const std::string get = "run tools/get_cifar " + std::to_string(classes);
  if (const char* first = classes == 100 ? "train.bin" : "data_batch_1.bin"; !has(root, first))
    for (const auto& folder : folders)
      if (has(folder, first)) return "set data.root to " + folder.string();
  folders.insert(folders.begin(), root);
  for (const auto& folder : folders)
    if (has(folder, classes == 100 ? "meta" : "batches.meta"))
      return folder.string() + " holds the version for Python, another format: " + get +
             " for the binary one";
  return get + ", or set data.root";
}

class CifarBin : public Dataset {
 public:
  CifarBin(const std::filesystem::path& root, int classes, Split split)
      : names_(names_of(root, classes)),
        label_bytes_(classes == 100 ? 2 : 1),
        record_(label_bytes_ + 3 * plane) {
    for (const auto& name : files_of(classes, split)) add(root, name);
  }
  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  const std::vector<std::string>& class_names() const override { return names_; }
  int32_t label(int64_t i) const override { return labels_[i]; }
  uint64_t fingerprint() const override { return fingerprint_; }
  // Of each file the hash of those up to it.
  void each_file(const FileVisitor& visit) const override {
    for (size_t f = 0; f < files_.size(); ++f) visit(files_[f].path().filename().string(), hashes_[f]);
  }

  Image image(int64_t i, int) const override {
    uint8_t planes[3 * plane];
    const Place p = place(i);
    p.file->read(p.offset + label_bytes_, planes, sizeof planes);
    Image out(side, side);
    for (int pixel = 0; pixel < plane; ++pixel)
      for (int c = 0; c < 3; ++c) out.rgb[pixel * 3 + c] = planes[c * plane + pixel];
    return out;
  }

  std::string describe(int64_t i) const override {
    const Place p = place(i);
    return p.file->path().string() + ", record " + std::to_string(p.offset / record_);
  }

 private:
  struct Place {
    const DataFile* file;
    uint64_t offset;
  };

  Place place(int64_t i) const {
    size_t f = 0;
    while (f + 1 < files_.size() && i >= first_[f + 1]) ++f;
    return {&files_[f], static_cast<uint64_t>(i - first_[f]) * record_};
  }

  void add(const std::filesystem::path& root, const std::string& name) {
    const std::filesystem::path path = root / name;
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored))
      throw Error(errors::no_data, "no file " + path.string(),
                  hint_for(root, static_cast<int>(names_.size())));
    files_.emplace_back(path);
    first_.push_back(size());
    const uint64_t bytes = files_.back().size();
    if (bytes == 0 || bytes % record_ != 0)
      throw Error(errors::cifar_size,
                  path.string() + ": " + std::to_string(bytes) + " bytes, want a multiple of " +
                      std::to_string(record_),
                  "the file is cut short or of another kind: run tools/get_cifar again");
    read_labels(files_.back());
    hashes_.push_back(fingerprint_);
  }

  void read_labels(const DataFile& file) {
    constexpr uint64_t records_at_once = 1024;
    Bytes block(records_at_once * record_);
    for (uint64_t offset = 0; offset < file.size(); offset += block.size()) {
      block.resize(std::min<uint64_t>(block.size(), file.size() - offset));
      file.read(offset, block.data(), block.size());
      fingerprint_ = XXH3_64bits_withSeed(block.data(), block.size(), fingerprint_);
      for (size_t r = 0; r < block.size(); r += record_)
        labels_.push_back(checked(block[r + label_bytes_ - 1], file, offset + r));
    }
  }

  int32_t checked(uint8_t label, const DataFile& file, uint64_t offset) const {
    if (label < names_.size()) return label;
    throw Error(errors::cifar_label,
                file.path().string() + ": label " + std::to_string(label) + " at byte " +
                    std::to_string(offset + label_bytes_ - 1) + ", want 0.." +
                    std::to_string(names_.size() - 1),
                "data.kind may name the wrong data set; otherwise run tools/get_cifar again");
  }

  std::vector<std::string> names_;
  uint64_t label_bytes_, record_;
  std::vector<DataFile> files_;
  std::vector<int64_t> first_;  // index of each file's first record
  std::vector<uint8_t> labels_;
  std::vector<uint64_t> hashes_;
  uint64_t fingerprint_ = 0;
};

}  // namespace

std::shared_ptr<const Dataset> open_cifar_bin(const std::filesystem::path& root, int classes, Split split) {
  return std::make_shared<CifarBin>(root, classes, split);
}

}  // namespace eb::data
