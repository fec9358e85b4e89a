// A data set: numbered pictures with labels. Implementations are thread-safe for reading.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/data_config.h"
#include "data/image.h"

namespace eb::data {

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  virtual const std::vector<std::string>& class_names() const = 0;
  virtual int32_t label(int64_t i) const = 0;
  // Decoded; photographs may come at 1/2, 1/4 or 1/8 of their size while the short side stays at least
  // `short_side` (0: full size). Error 301x or 302x names the file.
  virtual Image image(int64_t i, int short_side = 0) const = 0;
  virtual std::string describe(int64_t i) const = 0;  // for messages: a path, or a file and a record
  virtual uint64_t fingerprint() const = 0;           // of order, names, labels and sizes
  // Its files in order, by their path below the data's root and what the fingerprint knows of each: a size,
  // or a hash. None: they are no files.
  using FileVisitor = std::function<void(const std::string& path, uint64_t mark)>;
  virtual void each_file(const FileVisitor&) const {}
  virtual std::string note() const { return {}; }  // what a user should know of it, or nothing
  int64_t classes() const { return static_cast<int64_t>(class_names().size()); }
};

enum class Split : uint8_t { train, test };

// Error 3001 says what to run when the data are not there; 3002, 302x when they are not what they should be.
std::shared_ptr<const Dataset> open_dataset(const DataConfig& config, Split split);

std::string fingerprint_of(const Dataset& train, const Dataset& test);  // 32 hexadecimal digits

std::shared_ptr<const Dataset> open_cifar_bin(const std::filesystem::path& root, int classes, Split split);
std::shared_ptr<const Dataset> open_image_folder(const std::filesystem::path& root, Split split,
                                                 bool allow_empty_classes = false);
std::shared_ptr<const Dataset> make_synthetic(const DataConfig::Synthetic& options, Split split);

}  // namespace eb::data
