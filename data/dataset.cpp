#include "data/dataset.h"

#include <fmt/core.h>

#include "engine/base/error.h"

namespace eb::data {
namespace {

std::string hint_for(const DataConfig& c) {
  if (c.kind == "cifar10_bin")
    return "run tools/get_cifar 10, or point data.root to the folder with data_batch_1.bin";
  if (c.kind == "cifar100_bin")
    return "run tools/get_cifar 100, or point data.root to the folder with train.bin";
  return "point data.root to a folder that holds train/ and test/ (or val/) with one folder of images per "
         "class";
}

}  // namespace

std::shared_ptr<const Dataset> open_dataset(const DataConfig& c, Split split) {
  if (c.kind == "synthetic") return make_synthetic(c.synthetic, split);
  std::error_code ignored;
  if (!std::filesystem::is_directory(c.root, ignored))
    throw Error(3001, "no data at " + c.root.string() + " (data.kind " + c.kind + ")", hint_for(c));
  if (c.kind == "cifar10_bin") return open_cifar_bin(c.root, 10, split);
  if (c.kind == "cifar100_bin") return open_cifar_bin(c.root, 100, split);
  return open_image_folder(c.root, split);
}

std::string fingerprint_of(const Dataset& train, const Dataset& test) {
  return fmt::format("{:016x}{:016x}", train.fingerprint(), test.fingerprint());
}

}  // namespace eb::data
